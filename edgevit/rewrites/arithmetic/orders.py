"""Definitions of sorts that keep equal numbers in their order, and of what is read off a sort.

sort(x, stable)   =  x at the places;  place k is the i before which k of x belong: k = #(x < x_i) + #(x = x_i, before i)
quantile(x, q)    =  s[floor(p)] + (p - floor(p)) (s[ceil(p)] - s[floor(p)]),  s = sort(x),  p = q (n - 1)

No number is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

MOST_COMPARED = 1 << 22  # pairs of numbers, each compared with each of its row


def stable_sort(
    x: Tensor, *, stable: bool | None = None, dim: int = -1, descending: bool = False
) -> tuple[Tensor, Tensor]:
    if not stable:
        return torch.sort(x, dim, descending)
    if x.ndim == 0:
        return x.clone(), torch.zeros_like(x, dtype=torch.int64)
    rows = x.movedim(dim, -1)
    places = torch.arange(rows.shape[-1])
    one, other = rows.unsqueeze(-1), rows.unsqueeze(-2)
    comes_first = other > one if descending else other < one
    is_earlier = places < places[:, None]
    before = torch.logical_or(comes_first, torch.logical_and(other == one, is_earlier))
    rank = before.to(torch.int64).sum(-1)
    is_ranked = (rank.unsqueeze(-2) == places[:, None]).to(torch.int64)
    order = (is_ranked * places).sum(-1)
    return torch.gather(rows, -1, order).movedim(-1, dim), order.movedim(-1, dim)


def stable_argsort(x: Tensor, *, stable: bool, dim: int = -1, descending: bool = False) -> Tensor:
    return stable_sort(x, stable=stable, dim=dim, descending=descending)[1]


def quantile(
    x: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    all_axes = [1] * x.ndim
    rows = x.reshape(-1) if dim is None else x.movedim(dim, -1)
    in_order = torch.sort(rows, -1)[0]
    fractions = q if isinstance(q, Tensor) else torch.full((), q, dtype=x.dtype)
    places = fractions.reshape(-1) * (rows.shape[-1] - 1)
    if interpolation == "nearest":
        places = places.round()
    low, high = places.floor(), places.ceil()
    at_low, at_high = (in_order.index_select(-1, at.to(torch.int64)) for at in (low, high))
    share = {"lower": 0.0, "higher": 1.0, "midpoint": 0.5}.get(interpolation, places - low)
    quantiles = (at_low + share * (at_high - at_low)).movedim(-1, 0)
    if keepdim:
        sizes = [*quantiles.shape[:1], *all_axes] if dim is None else None
        quantiles = quantiles.reshape(sizes) if sizes else quantiles.unsqueeze(dim % x.ndim + 1)  # type: ignore[operator]
    return quantiles if fractions.ndim else quantiles.squeeze(0)


ORDERS: dict[str, Callable[..., Any]] = {
    "argsort.stable": stable_argsort,
    "quantile": quantile,
    "quantile.scalar": quantile,
    "sort.stable": stable_sort,
}
