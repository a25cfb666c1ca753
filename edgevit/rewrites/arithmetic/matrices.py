"""Definitions of functions of matrices, and of pairs of rows.

inverse(x)         =  transposed cofactors / determinant,  of up to 3 rows
bilinear(x, y, w)  =  linear(x y^T, w)
cdist(x, y)        =  sqrt(sum((x_i - y_j)^2)),  by a product where torch takes one
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def cdist(x: Tensor, y: Tensor, p: float = 2.0, compute_mode: int | None = None) -> Tensor:
    far_apart = compute_mode != 2 and max(x.shape[-2], y.shape[-2]) > 25
    if p == 2 and (compute_mode == 1 or far_apart):  # as torch does
        squares = [z.square().sum(-1, keepdim=True) for z in (x, y)]
        both = squares[0] + squares[1].transpose(-1, -2) - 2 * torch.matmul(x, y.transpose(-1, -2))
        return both.clamp(min=0).sqrt()
    apart = (x.unsqueeze(-2) - y.unsqueeze(-3)).abs()
    if p == 0:
        return (apart > 0).to(x.dtype).sum(-1)
    if p == math.inf:
        return apart.amax(-1)
    if p == 1:
        return apart.sum(-1)
    return apart.square().sum(-1).sqrt() if p == 2 else apart.pow(p).sum(-1).pow(1 / p)


def bilinear(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    pairs = (x.unsqueeze(-1) * y.unsqueeze(-2)).flatten(-2)
    return torch.nn.functional.linear(pairs, weight.flatten(1), bias)


def determinant(x: Tensor) -> Tensor:
    """Return the determinant of matrices of up to 3 rows, along the first of them."""
    return _along_first(x, _cofactors(x))


def inverse(x: Tensor) -> Tensor:
    """Return the inverse of matrices of up to 3 rows: transposed cofactors over the determinant."""
    cofactors = _cofactors(x)
    return cofactors.transpose(-1, -2) / _along_first(x, cofactors)[..., None, None]


def _along_first(x: Tensor, cofactors: Tensor) -> Tensor:
    return (x[..., 0, :] * cofactors[..., 0, :]).sum(-1)


def _cofactors(x: Tensor) -> Tensor:
    if x.shape[-1] == 1:
        return torch.ones_like(x)
    if x.shape[-1] == 2:
        (a, b), (c, d) = (row.unbind(-1) for row in x.unbind(-2))
        return torch.stack([torch.stack([d, -c], -1), torch.stack([-b, a], -1)], -2)
    a, b, c = x.unbind(-2)
    return torch.stack([_crossed(b, c), _crossed(c, a), _crossed(a, b)], -2)


def _crossed(a: Tensor, b: Tensor) -> Tensor:
    (a0, a1, a2), (b0, b1, b2) = a.unbind(-1), b.unbind(-1)
    return torch.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], -1)


MATRICES: dict[str, Callable[..., Any]] = {
    "bilinear": bilinear,
    "cdist": cdist,
    "det": determinant,
    "inverse": inverse,
    "linalg_det": determinant,
    "linalg_inv": inverse,
}
