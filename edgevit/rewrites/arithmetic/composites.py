"""Definitions of calls that combine a few others, for runtimes that have only those.

glu(x)               =  x[:half] sigmoid(x[half:])
lerp(x, y, w)        =  x + w (y - x)
logsumexp(x)         =  max + log(sum(exp(x - max)))
cosine_similarity    =  sum(normalize(x) normalize(y))
cumsum(x)            =  x, times a triangle of ones
repeat(x)            =  cat([x, x, ...])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.rewrites.arithmetic.sequences import summed

aten = torch.ops.aten


def glu(x: Tensor, dim: int = -1) -> Tensor:
    half = x.shape[dim] // 2
    return x.narrow(dim, 0, half) * torch.sigmoid(x.narrow(dim, half, half))


def lerp(x: Tensor, y: Tensor, weight: Any) -> Tensor:
    return x + weight * (y - x)


def logsumexp(x: Tensor, dim: list[int], keepdim: bool = False) -> Tensor:
    most = torch.amax(x, dim, True)
    result = most + torch.log(torch.sum(torch.exp(x - most), dim, True))
    return result if keepdim else result.reshape(torch.amax(x, dim).shape)


def cosine_similarity(x: Tensor, y: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    return torch.sum(F.normalize(x, dim=dim, eps=eps) * F.normalize(y, dim=dim, eps=eps), dim)


def addmm(bias: Tensor, x: Tensor, y: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    return _scaled(torch.mm(x, y), alpha) + _scaled(bias, beta)


def baddbmm(bias: Tensor, x: Tensor, y: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    return _scaled(torch.bmm(x, y), alpha) + _scaled(bias, beta)


def _scaled(x: Tensor, factor: float) -> Tensor:
    return x if factor == 1 else x * factor


def cumsum(x: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    x = summed(x, dtype)
    if x.ndim == 0:
        return x.clone()
    count = x.shape[dim]
    earlier = torch.arange(count)[:, None] <= torch.arange(count)
    rows = x.movedim(dim, -1)
    sums = torch.mm(rows.reshape(-1, count), earlier.to(x.dtype))
    return sums.reshape(rows.shape).movedim(-1, dim)


def repeat(x: Tensor, repeats: Sequence[int]) -> Tensor:
    x = x.reshape([1] * (len(repeats) - x.ndim) + list(x.shape))
    for axis, count in enumerate(repeats):
        x = torch.cat([x] * count, axis) if count > 1 else x
    return x


def repeat_interleave(
    x: Tensor, repeats: int, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    if dim is None:
        x, dim = x.reshape(-1), 0
    axis = dim % x.ndim
    sizes = [size * (repeats if k == axis else 1) for k, size in enumerate(x.shape)]
    return torch.stack([x] * repeats, axis + 1).reshape(sizes)


def clamp(x: Tensor, min: Tensor | None = None, max: Tensor | None = None) -> Tensor:
    x = x if min is None else torch.maximum(x, min)
    return x if max is None else torch.minimum(x, max)


def upsample_linear1d(
    x: Tensor, output_size: Sequence[int] | None, align_corners: bool, scale_factors: Any = None
) -> Tensor:
    size = None if output_size is None else [1, *output_size]
    scales = None if scale_factors is None else [1.0, *scale_factors]
    rows = aten.upsample_bilinear2d.vec(x.unsqueeze(2), size, align_corners, scales)
    return rows.squeeze(2)


def upsample_nearest1d(
    x: Tensor, output_size: Sequence[int] | None, scale_factors: Any = None
) -> Tensor:
    size = None if output_size is None else [1, *output_size]
    scales = None if scale_factors is None else [1.0, *scale_factors]
    return aten.upsample_nearest2d.vec(x.unsqueeze(2), size, scales).squeeze(2)


def largest(x: Tensor) -> Tensor:
    return torch.amax(x, list(range(x.ndim)))


def smallest(x: Tensor) -> Tensor:
    return torch.amin(x, list(range(x.ndim)))


def _with_mean(spread: Any) -> Callable[..., tuple[Tensor, Tensor]]:
    def define(
        x: Tensor, dim: Sequence[int] | None = None, unbiased: bool = True, keepdim: bool = False,
        *, correction: Any = 1,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        axes = list(dim) if dim else list(range(x.ndim))
        correction = 0 if not unbiased else 1 if correction is None else correction
        return spread(x, axes, correction=correction, keepdim=keepdim), aten.mean.dim(x, axes, keepdim)  # fmt: skip

    return define


_STD, _VAR = _with_mean(aten.std.correction), _with_mean(aten.var.correction)

COMPOSITES: dict[str, Callable[..., Any]] = {
    "addmm": addmm,
    "baddbmm": baddbmm,
    "clamp.Tensor": clamp,
    "cosine_similarity": cosine_similarity,
    "cumsum": cumsum,
    "glu": glu,
    "lerp.Scalar": lerp,
    "lerp.Tensor": lerp,
    "logsumexp": logsumexp,
    "max": largest,
    "min": smallest,
    "repeat": repeat,
    "repeat_interleave.self_int": repeat_interleave,
    "std_mean.correction": _STD,
    "std_mean.dim": _STD,
    "upsample_linear1d.vec": upsample_linear1d,
    "upsample_nearest1d.vec": upsample_nearest1d,
    "var_mean.correction": _VAR,
    "var_mean.dim": _VAR,
}
