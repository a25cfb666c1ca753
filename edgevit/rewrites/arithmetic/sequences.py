"""Definitions of functions of numbers in an order: running extremes and products, places among sorted numbers.

cumprod(x)            =  products of 2, 4, 8 ... neighbours
masked_scatter(x,m,s) =  s[cumsum(m) - 1] where m, and x elsewhere
searchsorted(s, x)    =  how many of s are not at or above x
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from edgevit.graph.tensors import broadcast


def cummax(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    return _running(x, dim, torch.ge)


def cummin(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    return _running(x, dim, torch.le)


def _running(
    x: Tensor, dim: int, wins: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Return running extremes and their places: prefixes of 2, 4, 8 ... values, the latest of equals."""
    if x.ndim == 0:
        return x.clone(), torch.zeros_like(x, dtype=torch.int64)
    count, axis = x.shape[dim], dim % x.ndim
    shape = [count if k == axis else 1 for k in range(x.ndim)]
    places = torch.arange(count).reshape(shape).expand(x.shape)
    step = 1
    while step < count:
        rest = count - step
        later = wins(x.narrow(axis, step, rest), x.narrow(axis, 0, rest))
        x, places = (
            torch.cat(
                [
                    part.narrow(axis, 0, step),
                    torch.where(later, part.narrow(axis, step, rest), part.narrow(axis, 0, rest)),
                ],
                axis,
            )
            for part in (x, places)
        )
        step *= 2
    return x, places


def cumprod(x: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    x = summed(x, dtype)
    if x.ndim == 0:
        return x.clone()
    count, step = x.shape[dim], 1
    while step < count:
        rest = count - step
        products = x.narrow(dim, step, rest) * x.narrow(dim, 0, rest)
        x = torch.cat([x.narrow(dim, 0, step), products], dim)
        step *= 2
    return x


def bucketize(
    x: Tensor, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    return searchsorted(boundaries, x, out_int32=out_int32, right=right)


def searchsorted(
    boundaries: Tensor,
    x: Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Compare each value with all boundaries.

    torch's own definition is a binary search that uses booleans as numbers.
    """
    if sorter is not None:
        boundaries = torch.gather(boundaries, -1, sorter)
    count = boundaries.shape[-1]
    boundaries = boundaries if boundaries.ndim == 1 else boundaries.unsqueeze(-2)
    ahead = torch.lt if right or side == "right" else torch.le
    above = torch.sum(ahead(x.unsqueeze(-1), boundaries).to(torch.int32), [-1])
    return (count - above).to(torch.int32 if out_int32 else torch.int64)


def masked_scatter(x: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    sizes = broadcast(tuple(x.shape), tuple(mask.shape))
    chosen = mask.expand(sizes).reshape(-1)
    nth = torch.cumsum(chosen.to(torch.int32), 0).clamp(min=1, max=source.numel()) - 1
    picked = torch.index_select(source.reshape(-1), 0, nth)
    return torch.where(chosen, picked, x.expand(sizes).reshape(-1)).reshape(sizes)


def summed(x: Tensor, dtype: Any) -> Tensor:
    """Return the numbers as torch adds them up: integers as int64."""
    if isinstance(dtype, torch.dtype):
        return x.to(dtype)
    return x if x.is_floating_point() else x.to(torch.int64)


SEQUENCES: dict[str, Callable[..., Any]] = {
    "bucketize.Tensor": bucketize,
    "cummax": cummax,
    "cummin": cummin,
    "cumprod": cumprod,
    "masked_scatter": masked_scatter,
    "searchsorted.Tensor": searchsorted,
}
