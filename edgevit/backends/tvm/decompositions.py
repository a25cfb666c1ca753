"""Decompositions of ops that TVM's importer does not know or misreads.

They are decompositions and not rules, because PyTorch's own decompositions make such ops too, after
all rules have run. All are exact but for the order of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from edgevit.graph.window import adaptive_windows

aten = torch.ops.aten
Tensor = torch.Tensor

# torch's own, which `torch.export` does not apply of itself
_OF_TORCH = (
    aten.elu.default,  # the importer drops both scales
    aten.grid_sampler_2d.default,
    aten.hypot.default,
)


def decompositions() -> Any:
    from torch._decomp import get_decompositions

    table = torch.export.default_decompositions()
    for target, decomposition in (get_decompositions(_OF_TORCH) | _OURS).items():
        table[target] = decomposition
    return table


def upsample_bilinear2d(
    x: Tensor,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Sequence[float] | None,
) -> Tensor:
    """Decompose a resize to a single pixel with aligned corners.

    TVM divides by the number of steps between the corners, which is zero for a single pixel.
    """
    from torch._decomp import get_decompositions

    target = aten.upsample_bilinear2d.vec
    sizes = output_size or [
        int(n * s) for n, s in zip(x.shape[2:], scale_factors or (), strict=True)
    ]
    if not align_corners or 1 not in sizes:
        return NotImplemented
    return get_decompositions([target])[target](x, output_size, align_corners, scale_factors)


def adaptive_max_pool2d(x: Tensor, output_size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Pool each adaptive window by `amax`.

    Programs that read the indices of the maxima are refused beforehand.
    """
    for axis, count in ((-2, output_size[0]), (-1, output_size[1])):
        parts = [
            aten.amax(x.narrow(axis, start, stop - start), [axis], True)
            for start, stop in adaptive_windows(x.shape[axis], count)
        ]
        x = torch.cat(parts, axis)
    return x, torch.zeros_like(x, dtype=torch.int64)


def max_dim(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    return aten.amax(x, [dim], keepdim), aten.argmax(x, dim, keepdim)


def min_dim(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    return aten.amin(x, [dim], keepdim), aten.argmin(x, dim, keepdim)


def select(x: Tensor, dim: int, index: int) -> Tensor:
    """Write a select as a slice and a squeeze.

    For a negative index the importer's gather reads before the tensor.
    """
    extent = x.shape[dim]
    start = index % extent
    return aten.squeeze.dims(aten.slice(x, dim, start, start + 1), [dim])


def var_mean(
    x: Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]:
    axes = list(dim) if dim else list(range(x.ndim))
    spread = aten.var.correction(x, axes, correction=correction, keepdim=keepdim)
    return spread, aten.mean.dim(x, axes, keepdim)


def unfold(x: Tensor, dimension: int, size: int, step: int) -> Tensor:
    if x.ndim == 0:
        return NotImplemented
    last = (x.shape[dimension] - size) // step * step + 1  # one past the last window's start
    return torch.stack([aten.slice(x, dimension, k, k + last, step) for k in range(size)], -1)


def cdist(x: Tensor, y: Tensor, p: float, compute_mode: int | None) -> Tensor:
    apart = (x.unsqueeze(-2) - y.unsqueeze(-3)).abs()
    if p == 2:
        return (apart * apart).sum(-1).sqrt()
    return apart.sum(-1) if p == 1 else NotImplemented


def group_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: int,
    channels: int,
    pixels: int,
    groups: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Give a group norm the weight and bias that it lacks: the importer leaves a null in their place."""
    if weight is not None and bias is not None:
        return NotImplemented
    weight = x.new_ones(channels) if weight is None else weight
    bias = x.new_zeros(channels) if bias is None else bias
    return aten.native_group_norm(x, weight, bias, batch, channels, pixels, groups, eps)


_OURS: dict[Any, Callable[..., Any]] = {
    aten.adaptive_max_pool2d.default: adaptive_max_pool2d,
    aten.max.dim: max_dim,
    aten.min.dim: min_dim,
    aten.select.int: select,
    aten.unfold.default: unfold,
    aten.var_mean.correction: var_mean,
    aten.upsample_bilinear2d.vec: upsample_bilinear2d,
    aten._cdist_forward.default: cdist,
    aten.native_group_norm.default: group_norm,
}
