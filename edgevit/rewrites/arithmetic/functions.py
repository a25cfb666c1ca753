"""Definitions of functions that runtimes lack, in arithmetic that they have.

    fmod(x, y)     =  sign of x, remainder(|x|, |y|)
    asinh(x)       =  sign of x, log1p(|x| + x^2 / (1 + sqrt(x^2 + 1)))
    acosh(x)       =  log1p(t + sqrt(2 t + t^2))                            t = x - 1
    hypot(x, y)    =  max(|x|, |y|) sqrt(1 + (min / max)^2)
    cross(a, b)    =  a[1 2 0] b[2 0 1] - a[2 0 1] b[1 2 0]
    kthvalue(x,k)  =  sort(x)[k - 1]          its place among equal numbers is open, as in PyTorch
    diagonal(x)    =  x, its two axes as one, at constant places

The sums and products are in another order than torch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from edgevit.rewrites.arithmetic.activations import ACTIVATIONS
from edgevit.rewrites.arithmetic.bits import BITS
from edgevit.rewrites.arithmetic.matrices import MATRICES
from edgevit.rewrites.arithmetic.orders import ORDERS
from edgevit.rewrites.arithmetic.sequences import SEQUENCES, summed
from edgevit.rewrites.arithmetic.volumes import VOLUMES

aten = torch.ops.aten


def trunc(x: Tensor) -> Tensor:
    if not x.is_floating_point():
        return x.clone()
    return torch.where(x < 0, torch.ceil(x), torch.floor(x))


def fmod(x: Tensor, y: Any) -> Tensor:
    rest = torch.remainder(torch.abs(x), torch.abs(y) if isinstance(y, Tensor) else abs(y))
    return torch.where(x < 0, -rest, rest)


def fmax(x: Tensor, y: Tensor) -> Tensor:
    return torch.where(torch.ne(x, x), y, torch.where(torch.ne(y, y), x, torch.maximum(x, y)))


def fmin(x: Tensor, y: Tensor) -> Tensor:
    return torch.where(torch.ne(x, x), y, torch.where(torch.ne(y, y), x, torch.minimum(x, y)))


def copysign(x: Tensor, y: Tensor) -> Tensor:
    size = torch.abs(x if x.is_floating_point() else x.to(torch.get_default_dtype()))
    return torch.where(signbit(y), -size, size)


def hypot(x: Tensor, y: Tensor) -> Tensor:
    long = torch.maximum(torch.abs(x), torch.abs(y))
    ratio = torch.minimum(torch.abs(x), torch.abs(y)) / torch.where(long == 0, 1.0, long)
    return long * torch.sqrt(ratio * ratio + 1.0)


def isclose(
    x: Tensor, y: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    apart, room = torch.abs(x - y), torch.abs(y) * rtol + atol
    near = torch.logical_or(torch.eq(x, y), torch.logical_and(apart <= room, room < math.inf))
    if not equal_nan:
        return near
    return torch.logical_or(near, torch.logical_and(torch.ne(x, x), torch.ne(y, y)))


def std_mean(
    x: Tensor, dim: Sequence[int] | None = None, *, correction: Any = 1, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    axes = list(dim) if dim else list(range(x.ndim))
    correction = 1 if correction is None else correction
    std = aten.std.correction(x, axes, correction=correction, keepdim=keepdim)
    return std, aten.mean.dim(x, axes, keepdim)


def spread(along: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Define a variance or deviation by the one whose axes and correction are stated."""

    def stated(
        x: Tensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False
    ) -> Tensor:
        axes = list(dim) if dim else list(range(x.ndim))
        correction = 1 if correction is None else correction
        return along(x, axes, correction=correction, keepdim=keepdim)

    return stated


def aminmax(x: Tensor, *, dim: int | None = None, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    axes = list(range(x.ndim)) if dim is None else [dim]
    if x.ndim == 0:
        return x.clone(), x.clone()
    return aten.amin.default(x, axes, keepdim), aten.amax.default(x, axes, keepdim)


def diff(
    x: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    parts = [part for part in (prepend, x, append) if part is not None]
    x = torch.cat(parts, dim) if len(parts) > 1 else x
    for _ in range(min(n, x.shape[dim])):
        ahead, behind = x.narrow(dim, 1, x.shape[dim] - 1), x.narrow(dim, 0, x.shape[dim] - 1)
        x = torch.ne(ahead, behind) if x.dtype == torch.bool else ahead - behind
    return x


def round_decimals(x: Tensor, *, decimals: int) -> Tensor:
    if not x.is_floating_point() or decimals == 0:
        return torch.round(x) if x.is_floating_point() else x.clone()
    scale = 10.0 ** abs(decimals)
    return torch.round(x * scale) / scale if decimals > 0 else torch.round(x / scale) * scale


def prod(x: Tensor, dim: int, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    x = summed(x, dtype)
    if x.ndim == 0:
        return x.clone()
    while (count := x.shape[dim]) > 1:
        half = count // 2
        pairs = x.narrow(dim, 0, half) * x.narrow(dim, half, half)
        x = pairs if count % 2 == 0 else torch.cat([pairs, x.narrow(dim, count - 1, 1)], dim)
    return x if keepdim else _only(x, dim)


def prod_of_all(x: Tensor, *, dtype: Any = None) -> Tensor:
    return prod(x.reshape(-1), 0, dtype=dtype)


def nanmean(
    x: Tensor, dim: Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    axes = list(dim) if dim else list(range(x.ndim))
    there = torch.eq(x, x)
    total = torch.sum(torch.where(there, x, 0.0), axes, keepdim)
    return total / torch.sum(there.to(x.dtype), axes, keepdim)


def kthvalue(x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    if x.ndim == 0:
        return x.clone(), torch.zeros_like(x, dtype=torch.int64)
    values, places = torch.sort(x, dim)
    chosen = [part.narrow(dim, k - 1, 1) for part in (values, places)]
    values, places = chosen if keepdim else [_only(part, dim) for part in chosen]
    return values, places


def msort(x: Tensor) -> Tensor:
    return torch.sort(x, 0)[0] if x.ndim else x.clone()


def median(x: Tensor) -> Tensor:
    return median_along(x.reshape(-1), 0)[0]


def median_along(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    return kthvalue(x, (x.shape[dim] + 1) // 2 if x.ndim else 1, dim, keepdim)


def angle(x: Tensor) -> Tensor:
    zero = torch.zeros_like(x, dtype=torch.get_default_dtype())
    return torch.where(torch.ne(x, x), x, torch.where(x < 0, math.pi, zero))


def absolute(x: Tensor) -> Tensor:
    return torch.maximum(x, torch.neg(x))


def signbit(x: Tensor) -> Tensor:
    """Tell a negative zero by its inverse, an infinity of its sign."""
    if not x.is_floating_point():
        return x < 0
    inverse = torch.full((), 1.0, dtype=x.dtype) / torch.where(torch.eq(x, 0), x, 1.0)
    return torch.logical_or(x < 0, inverse < 0)


def atan2(y: Tensor, x: Tensor) -> Tensor:
    y, x = _broadcast(y, x)
    flat = torch.atan(y / torch.where(torch.eq(x, 0), 1.0, x))
    turned = flat + torch.where(signbit(y), -math.pi, math.pi)
    upright = torch.logical_and(torch.eq(x, 0), torch.ne(y, 0))
    return torch.where(
        upright, torch.sign(y) * (math.pi / 2), torch.where(signbit(x), turned, flat)
    )


def asinh(x: Tensor) -> Tensor:
    square = x * x
    size = torch.log1p(torch.abs(x) + square / (torch.sqrt(square + 1.0) + 1.0))
    return torch.where(x < 0, -size, size)


def acosh(x: Tensor) -> Tensor:
    above = x - 1.0
    return torch.log1p(above + torch.sqrt(above * 2.0 + above * above))


def addbmm(x: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    return _weighed(x, torch.sum(torch.bmm(a, b), [0]), beta, alpha)


def addmv(x: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    return _weighed(x, torch.matmul(a, b.unsqueeze(-1)).squeeze(-1), beta, alpha)


def masked_fill(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    fill = value if isinstance(value, Tensor) else torch.full((), value, dtype=x.dtype)
    return torch.where(mask, fill.to(x.dtype), x)


def nan_to_num(
    x: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    if not x.is_floating_point():
        return x.clone()
    most = torch.finfo(x.dtype).max
    high, low = (most if posinf is None else posinf), (-most if neginf is None else neginf)
    x = torch.where(torch.ne(x, x), 0.0 if nan is None else nan, x)
    return torch.where(x > most, high, torch.where(x < -most, low, x))


def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    rest = [k for k in range(x.ndim) if k not in {dim1 % x.ndim, dim2 % x.ndim}]
    rows, columns = x.shape[dim1], x.shape[dim2]
    first = -offset * columns if offset < 0 else offset
    count = min(rows + min(offset, 0), columns - max(offset, 0))
    flat = x.permute([*rest, dim1 % x.ndim, dim2 % x.ndim])
    flat = flat.reshape([*flat.shape[:-2], rows * columns])
    places = torch.arange(first, first + count * (columns + 1), columns + 1)
    return torch.index_select(flat, -1 % flat.ndim, places)


def cross(a: Tensor, b: Tensor, dim: int | None = None) -> Tensor:
    a, b = _broadcast(a, b)
    axis = (a.shape.index(3) if dim is None else dim) % a.ndim

    def turned(x: Tensor, order: list[int]) -> Tensor:
        return torch.index_select(x, axis, torch.tensor(order))

    once, twice = [1, 2, 0], [2, 0, 1]
    return turned(a, once) * turned(b, twice) - turned(a, twice) * turned(b, once)


def addcmul(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    return x + (a * b if value == 1 else a * b * value)


def addcdiv(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    return x + (a / b if value == 1 else a / b * value)


def lerp(start: Tensor, end: Tensor, weight: Any) -> Tensor:
    return start + weight * (end - start)


def prelu(x: Tensor, weight: Tensor) -> Tensor:
    channels = [-1, *(1 for _ in x.shape[2:])] if x.ndim > 1 else [-1]
    return torch.clamp(x, min=0.0) + torch.clamp(x, max=0.0) * weight.reshape(channels)


def extreme_place(find: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Define the place of an extreme among all values by that along one axis."""

    def place(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        flat = find(x.reshape(-1), 0, False)
        return flat.reshape([1] * x.ndim) if keepdim else flat

    return place


def of_truth(reduce: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Define `any` and `all` of numbers by those of booleans."""

    def over(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return reduce(torch.ne(x, 0), *args, **kwargs)

    return over


def index_fill(x: Tensor, dim: int, index: Tensor, number: Any) -> Tensor:
    filling = number if isinstance(number, Tensor) else torch.full((), number, dtype=x.dtype)
    if x.ndim == 0:
        return filling.clone() if index.numel() else x.clone()
    count, axis = x.shape[dim], dim % x.ndim
    wrapped = torch.where(index < 0, index + count, index).reshape(-1, 1)
    is_filled = (wrapped == torch.arange(count)).to(torch.int64).sum(0) > 0
    sizes = [count if k == axis else 1 for k in range(x.ndim)]
    return torch.where(is_filled.reshape(sizes), filling, x)


def is_itself(x: Tensor) -> Tensor:
    return torch.eq(x, x)


def is_not_itself(x: Tensor) -> Tensor:
    return torch.ne(x, x)


def _only(x: Tensor, dim: int) -> Tensor:
    """Drop an axis of one value by a maximum: converters make no scalar of a squeeze."""
    return aten.amax.default(x, [dim], False)


def _broadcast(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    zero = torch.zeros_like(x) * torch.zeros_like(y)
    return x.expand(zero.shape), y.expand(zero.shape)


def _weighed(x: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    product = product if alpha == 1 else product * alpha
    return product if beta == 0 else product + (x if beta == 1 else x * beta)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **ACTIVATIONS,
    **BITS,
    **MATRICES,
    **ORDERS,
    **SEQUENCES,
    **VOLUMES,
    "abs": absolute,
    "acosh": acosh,
    "addbmm": addbmm,
    "addcdiv": addcdiv,
    "addcmul": addcmul,
    "addmv": addmv,
    "aminmax": aminmax,
    "angle": angle,
    "argmax": extreme_place(aten.argmax.default),
    "argmin": extreme_place(aten.argmin.default),
    "asinh": asinh,
    "atan2": atan2,
    "all": of_truth(aten.all.default),
    "all.dim": of_truth(aten.all.dim),
    "all.dims": of_truth(aten.all.dims),
    "any": of_truth(aten.any.default),
    "any.dim": of_truth(aten.any.dim),
    "any.dims": of_truth(aten.any.dims),
    "copysign.Tensor": copysign,
    "cross": cross,
    "diagonal": diagonal,
    "diagonal_copy": diagonal,
    "diff": diff,
    "fmax": fmax,
    "fmin": fmin,
    "fmod.Scalar": fmod,
    "fmod.Tensor": fmod,
    "hypot": hypot,
    "index_fill.int_Scalar": index_fill,
    "index_fill.int_Tensor": index_fill,
    "isclose": isclose,
    "isfinite": is_itself,
    "isinf": is_not_itself,
    "isnan": is_not_itself,
    "kthvalue": kthvalue,
    "lerp.Scalar": lerp,
    "lerp.Tensor": lerp,
    "linalg_cross": cross,
    "linalg_diagonal": diagonal,
    "masked_fill.Scalar": masked_fill,
    "masked_fill.Tensor": masked_fill,
    "median": median,
    "median.dim": median_along,
    "msort": msort,
    "nan_to_num": nan_to_num,
    "nanmean": nanmean,
    "prelu": prelu,
    "prod": prod_of_all,
    "prod.dim_int": prod,
    "round.decimals": round_decimals,
    "signbit": signbit,
    "std.correction": spread(aten.std.correction),
    "std_mean.correction": std_mean,
    "trunc": trunc,
    "var.correction": spread(aten.var.correction),
}

# Functions that none of ONNX, TFLite and ExecuTorch has.
RARE = (
    "adaptive_avg_pool3d", "bilinear", "bucketize.Tensor", "copysign.Tensor", "cummax", "cummin", "cumprod", "det",
    "fmax", "fmin", "hypot", "index_fill.int_Scalar", "index_fill.int_Tensor", "inverse", "kthvalue", "linalg_det", "linalg_inv", "median", "median.dim",
    "searchsorted.Tensor",
)  # fmt: skip
