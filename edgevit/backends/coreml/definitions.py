"""Definitions of ops that coremltools misreads, or that torch's definition takes out of ATen.

coremltools 9.0 silently leaves out an argument, or has another meaning:

gelu(x, approximate="tanh")   is converted as the exact gelu
add(x, y, alpha=3)            is converted as x + y
reciprocal(x), 1 / x          is converted as 1 / (x + 1e-4)
rms_norm(x, shape)            is given an epsilon of 1e-5, where torch has that of the dtype
affine_grid_generator         is converted by asking for what its decomposition does not have
log_softmax(x)                is converted as log(softmax(x)), and its like

clamp(x, tensor, tensor)      is converted as the smaller of x and one of them
zeros_like(x, dtype=float32)  is converted as zeros of the type of x
logical_not(x), and, or, xor  reads integers bit by bit
softplus(x, beta, threshold)  is converted without its threshold
remainder(x, 1)               is converted as 0
x.reshape(())                 is converted as x
mean(x), sum, max, min        behind a transpose stop a pass of coremltools, which asks for their axes

and where it has no word for an argument: a negative pad crops, a circular one wraps around; a maximum of a dilated
window; a transposed convolution whose output goes beyond its padding; a running sum along an axis counted from the end; a floor division by one, and of integers, which it leaves as floats.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx.node import Node
from torch.nn import functional as F

from edgevit.backends.in_aten import cdist
from edgevit.graph.aten import argument, has_argument, op, per_dimension
from edgevit.graph.program import value
from edgevit.rewrites.arithmetic.composites import clamp
from edgevit.rewrites.arithmetic.expand_functions import is_of_its_form
from edgevit.rewrites.arithmetic.functions import FUNCTIONS
from edgevit.rewrites.arithmetic.stable_logs import STABLE

# Ops whose converter is right only while the argument has this value.
_READ_AS = {
    "gelu": ("approximate", "none"),
    "add.Tensor": ("alpha", 1),
    "sub.Tensor": ("alpha", 1),
    "rsub.Tensor": ("alpha", 1),
}


_LOGICAL = frozenset({"logical_not", "logical_and", "logical_or", "logical_xor"})
_ZEROS = frozenset({"zeros_like", "empty_like"})
_OVER_ALL = frozenset({"mean", "sum", "max", "min"})
_VIEWS = frozenset({"view", "reshape", "_unsafe_view"})
_TRANSPOSED = {"conv_transpose1d": 1, "conv_transpose2d.input": 2, "conv_transpose3d.input": 3}
_SAME_BEYOND = 16.0  # softplus(x) is x there, in float32

_ALWAYS = frozenset({"rms_norm", "reciprocal", "clamp.Tensor", "affine_grid_generator"})


def is_misread(node: Node) -> bool:
    """Return whether coremltools has a converter for the node that computes something else."""
    name = op(node)
    if name in FUNCTIONS:
        return is_of_its_form(node)
    if name in _READ_AS:
        parameter, only = _READ_AS[name]
        return argument(node, parameter) != only
    if name == "max_pool2d":
        return set(per_dimension(argument(node, "dilation"), 2)) != {1}
    if name in _TRANSPOSED:
        padding, more = (_per_axis(node, key) for key in ("padding", "output_padding"))
        return any(after > pad for after, pad in zip(more, padding, strict=True))
    if name == "floor_divide":
        return argument(node, "other") == 1 or _is_left_in_floats(node)
    if name == "remainder.Scalar":
        return argument(node, "other") == 1
    if name in _OVER_ALL:
        return value(node.all_input_nodes[0]).ndim > 0
    if name in _VIEWS:
        return value(node).ndim == 0 and value(node.all_input_nodes[0]).ndim > 0
    if name in {"amax", "amin", "mean.dim", "sum.dim_IntList"}:
        return not argument(node, "dim") and value(node.all_input_nodes[0]).ndim > 0
    if name == "cumsum":
        return argument(node, "dim") < -1
    if name == "softplus":
        return argument(node, "threshold") < _SAME_BEYOND
    if name in _ZEROS:
        return value(node).dtype != value(node.all_input_nodes[0]).dtype
    if name in _LOGICAL:
        return any(value(read).dtype != torch.bool for read in node.all_input_nodes)
    if name in {"pad", "constant_pad_nd"}:
        return min(argument(node, "pad")) < 0 or _pad_mode(node) == "circular"
    return name in _ALWAYS or name in STABLE


def _per_axis(node: Node, name: str) -> tuple[int, ...]:
    return per_dimension(argument(node, name), _TRANSPOSED[op(node)])


def _is_left_in_floats(node: Node) -> bool:
    """Return whether integers are divided and not said to be integers again: the converter gives floats."""
    result = value(node)
    cast = all(op(user) == "_to_copy" for user in node.users)
    return not result.is_floating_point() and not (node.users and cast)


def definition(node: Node) -> Callable[..., Any] | None:
    """Return the definition in ATen of a call; none where it holds for other calls of this name alone."""
    name = op(node)
    if name in FUNCTIONS and not is_of_its_form(node):
        return None
    return _DEFINITIONS.get(name)


def _pad_mode(node: Node) -> str:
    return argument(node, "mode") if has_argument(node, "mode") else "constant"


def _cumsum(x: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor:
    return torch.cumsum(x, dim % x.ndim, dtype=dtype)


def _softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Write softplus in the form that coremltools reads, with its threshold written out."""
    scaled = x * beta
    return torch.where(scaled > threshold, x, F.softplus(scaled) * (1 / beta))


def _over_all(reduce: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def named(x: Tensor, dim: Any = None, keepdim: bool = False, **options: Any) -> Tensor:
        return reduce(x, list(range(x.ndim)), keepdim, **options)

    return named


def _not(x: Tensor) -> Tensor:
    return torch.eq(x, 0)


def _and(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_and(torch.ne(x, 0), torch.ne(y, 0))


def _or(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_or(torch.ne(x, 0), torch.ne(y, 0))


def _xor(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_xor(torch.ne(x, 0), torch.ne(y, 0))


def _itself(x: Tensor) -> Tensor:
    return x


def _tanh_gelu(x: Tensor, *, approximate: str) -> Tensor:
    """Write the tanh approximation in the form that coremltools fuses into its own `gelu`."""
    inner = torch.add(x, torch.pow(x, 3.0) * 0.044715) * math.sqrt(2 / math.pi)
    return x * ((torch.tanh(inner) + 1.0) * 0.5)


def _scalar(x: Tensor, shape: list[int]) -> Tensor:
    return torch.squeeze(x)


def _add(x: Tensor, y: Tensor, *, alpha: float) -> Tensor:
    return x + y * alpha


def _sub(x: Tensor, y: Tensor, *, alpha: float) -> Tensor:
    return x - y * alpha


def _rsub(x: Tensor, y: Tensor, *, alpha: float) -> Tensor:
    return y - x * alpha


def _rms_norm(
    x: Tensor, shape: list[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    axes = list(range(-len(shape), 0))
    epsilon = torch.finfo(x.dtype).eps if eps is None else eps
    normed = x * torch.rsqrt(torch.mean(x * x, axes, keepdim=True) + epsilon)
    return normed if weight is None else normed * weight


def _var_mean(
    x: Tensor, axes: list[int] | None = None, *, correction: float = 1, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    axes = list(range(x.ndim)) if axes is None else axes
    return torch.var(x, axes, correction=correction, keepdim=keepdim), x.mean(axes, keepdim=keepdim)


def _lerp(x: Tensor, y: Tensor, weight: float) -> Tensor:
    return x + (y - x) * weight


def _pad(x: Tensor, pad: list[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Crop by the negative amounts, then pad along each axis or wrap around it."""
    for axis, (before, behind) in enumerate(zip(pad[::2], pad[1::2], strict=True), start=1):
        start, end = max(-before, 0), x.shape[-axis] - max(-behind, 0)
        if (start, end) != (0, x.shape[-axis]):
            x = x.narrow(-axis, start, end - start)
        if mode != "circular":
            continue
        extent = x.shape[-axis]
        ends = [x.narrow(-axis, extent - before, before)] if before > 0 else []
        starts = [x.narrow(-axis, 0, behind)] if behind > 0 else []
        if ends or starts:
            x = torch.cat([*ends, x, *starts], -axis)
    rest = [max(n, 0) for n in pad]
    return x if mode == "circular" or not any(rest) else F.pad(x, rest, mode, value)


def _constant_pad(x: Tensor, pad: list[int], value: float = 0.0) -> Tensor:
    return _pad(x, pad, "constant", value)


def _dilated_max_pool(
    x: Tensor,
    kernel_size: list[int],
    stride: list[int] = (),  # type: ignore[assignment]
    padding: int | list[int] = 0,
    dilation: int | list[int] = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Compute the maximum of the image and its shifted copies, one for each place in the window."""
    (tall, wide), (down, right) = per_dimension(kernel_size, 2), per_dimension(dilation, 2)
    pace, (above, beside) = per_dimension(stride or kernel_size, 2), per_dimension(padding, 2)
    size = F.max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode).shape[2:]
    over = [(n - 1) * step for n, step in zip(size, pace, strict=True)]
    behind = [
        max(0, reach + d * (k - 1) + 1 - extent - p)
        for reach, d, k, extent, p in zip(
            over, (down, right), (tall, wide), x.shape[2:], (above, beside), strict=True
        )
    ]
    x = F.pad(x, (beside, behind[1], above, behind[0]), value=-math.inf)
    rows = [
        torch.ops.aten.slice.Tensor(x, 2, k * down, k * down + over[0] + 1, pace[0])
        for k in range(tall)
    ]
    parts = [
        torch.ops.aten.slice.Tensor(row, 3, k * right, k * right + over[1] + 1, pace[1])
        for row in rows
        for k in range(wide)
    ]
    return functools.reduce(torch.maximum, parts)


def _transposed(plain: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def function(
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | list[int] = 1,
        padding: int | list[int] = 0,
        output_padding: int | list[int] = 0,
        groups: int = 1,
        dilation: int | list[int] = 1,
    ) -> Tensor:
        """Compute all of the output, cut the padding off, and add the bias also where no tap reaches."""
        axes = x.ndim - 2
        whole = plain(x, weight, None, stride, 0, 0, groups, dilation)
        ends = zip(per_dimension(padding, axes), per_dimension(output_padding, axes), strict=True)
        cuts = [amount for pad, more in reversed([*ends]) for amount in (-pad, more - pad)]
        cut = _pad(whole, cuts, "constant", 0.0)
        return cut if bias is None else cut + bias.reshape([-1] + [1] * axes)

    return function


def _floor_divide(x: Tensor, other: Tensor | float) -> Tensor:
    """Floor a division by one, which coremltools removes even for fractions; say that integers stay what they are."""
    if not isinstance(other, Tensor) and other == 1:
        return torch.floor(x) if x.is_floating_point() else x.clone()
    quotient = torch.floor_divide(x, other)
    return torch.ops.aten._to_copy.default(quotient, dtype=quotient.dtype)


def _remainder(x: Tensor, other: float) -> Tensor:
    """Take the floor off: coremltools removes the floor of a division by one."""
    return x - torch.floor(x) if x.is_floating_point() else torch.zeros_like(x)


def _zeros(x: Tensor, *, dtype: torch.dtype, **_: Any) -> Tensor:
    return torch.full(x.shape, 0, dtype=dtype)


def _reciprocal(x: Tensor) -> Tensor:
    return torch.full((), 1.0, dtype=x.dtype) / x


def _bitwise_or(x: Tensor, y: Tensor) -> Tensor:
    return torch.logical_or(x, y) if x.dtype == y.dtype == torch.bool else torch.bitwise_or(x, y)


def _unfold(x: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Return windows along an axis by slices.

    torch's own definition reads memory by strides.
    """
    reach = x.shape[dimension] - size + 1
    aten_slice = torch.ops.aten.slice.Tensor
    parts = [aten_slice(x, dimension, start, start + reach, step) for start in range(size)]
    return torch.stack(parts, -1)


def _affine_grid(theta: Tensor, size: list[int], align_corners: bool) -> Tensor:
    """Compute the affine grid from constant coordinates.

    torch's own definition reads shapes at run time.
    """
    axes = [_places(extent, align_corners) for extent in size[2:]]
    grid = torch.meshgrid(*map(torch.tensor, axes), indexing="ij")
    places = torch.stack([*grid[::-1], torch.ones_like(grid[0])], -1).flatten(0, -2)
    return torch.matmul(places, theta.mT).reshape(size[0], *size[2:], len(axes))


def _places(extent: int, align_corners: bool) -> list[float]:
    """Return coordinates from -1 to 1, at the corners or at the middle of each position."""
    if align_corners:
        return [2 * k / (extent - 1) - 1 if extent > 1 else 0.0 for k in range(extent)]
    return [(2 * k + 1) / extent - 1 for k in range(extent)]


_DEFINITIONS: dict[str, Callable[..., Any]] = {
    **FUNCTIONS,
    "_cdist_forward": cdist,
    "alias": _itself,
    "clamp.Tensor": clamp,
    "cumsum": _cumsum,
    "mean": _over_all(torch.ops.aten.mean.dim),
    "mean.dim": _over_all(torch.ops.aten.mean.dim),
    "sum": _over_all(torch.ops.aten.sum.dim_IntList),
    "sum.dim_IntList": _over_all(torch.ops.aten.sum.dim_IntList),
    "max": _over_all(torch.ops.aten.amax.default),
    "amax": _over_all(torch.ops.aten.amax.default),
    "min": _over_all(torch.ops.aten.amin.default),
    "amin": _over_all(torch.ops.aten.amin.default),
    "softplus": _softplus,
    "logical_not": _not,
    "logical_and": _and,
    "logical_or": _or,
    "logical_xor": _xor,
    "gelu": _tanh_gelu,
    "add.Tensor": _add,
    "sub.Tensor": _sub,
    "rsub.Tensor": _rsub,
    "rms_norm": _rms_norm,
    "pad": _pad,
    "constant_pad_nd": _constant_pad,
    "unfold": _unfold,
    "reciprocal": _reciprocal,
    "bitwise_or.Tensor": _bitwise_or,
    "max_pool2d": _dilated_max_pool,
    "conv_transpose1d": _transposed(F.conv_transpose1d),
    "conv_transpose2d.input": _transposed(F.conv_transpose2d),
    "conv_transpose3d.input": _transposed(F.conv_transpose3d),
    "floor_divide": _floor_divide,
    **dict.fromkeys(_VIEWS, _scalar),
    "var_mean.correction": _var_mean,
    "remainder.Scalar": _remainder,
    "zeros_like": _zeros,
    "empty_like": _zeros,
    "lerp.Scalar": _lerp,
    "affine_grid_generator": _affine_grid,
    **STABLE,
}
