"""Definitions of ATen calls in terms of others, for converters that do not know them or misread an argument.

They are entries of a converter's table of decompositions and not rules, because other decompositions make such calls
too, after all rules have run. All are exact but for the order of sums.
"""

from __future__ import annotations

from typing import Any

import torch

Tensor = torch.Tensor


def add(x: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    return NotImplemented if alpha == 1 else x + other * alpha


def sub(x: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    return NotImplemented if alpha == 1 else x - other * alpha


def rsub(x: Tensor, other: Any, alpha: float = 1) -> Tensor:
    """Subtract by a product and a sum, as Python's `other - x` would call this function again."""
    return x * -alpha + other


def unfold(x: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Stack slices, one for each position in the window."""
    if x.ndim == 0:
        return NotImplemented
    last = (x.shape[dimension] - size) // step * step + 1  # one past the last window's start
    parts = [torch.ops.aten.slice.Tensor(x, dimension, k, k + last, step) for k in range(size)]
    return torch.stack(parts, -1)


def one_hot(x: Tensor, num_classes: int = -1) -> Tensor:
    if num_classes < 0:
        return NotImplemented
    return (x.unsqueeze(-1) == torch.arange(num_classes)).to(torch.int64)


def cdist(x: Tensor, y: Tensor, p: float, compute_mode: int | None) -> Tensor:
    """Compute the distances by broadcasting, for p = 1 and p = 2."""
    apart = (x.unsqueeze(-2) - y.unsqueeze(-3)).abs()
    if p == 2:
        return (apart * apart).sum(-1).sqrt()
    return apart.sum(-1) if p == 1 else NotImplemented


def logical_xor(x: Tensor, y: Tensor) -> Tensor:
    return torch.ne(torch.ne(x, 0), torch.ne(y, 0))


def logical_and(x: Tensor, y: Tensor) -> Tensor:
    return NotImplemented if _are_booleans(x, y) else torch.logical_and(_truth(x), _truth(y))


def logical_or(x: Tensor, y: Tensor) -> Tensor:
    return NotImplemented if _are_booleans(x, y) else torch.logical_or(_truth(x), _truth(y))


def isnan(x: Tensor) -> Tensor:
    return torch.ne(x, x)


def divide_by_number(x: Tensor, other: float, *, rounding_mode: str | None) -> Tensor:
    return torch.div(x, torch.full((), other, dtype=x.dtype), rounding_mode=rounding_mode)


def _are_booleans(*tensors: Tensor) -> bool:
    return all(tensor.dtype == torch.bool for tensor in tensors)


def _truth(x: Tensor) -> Tensor:
    return x if x.dtype == torch.bool else torch.ne(x, 0)
