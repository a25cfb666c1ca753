"""What some ops mean, where coremltools 9.0 silently leaves out an argument or torch's definition leaves ATen.

gelu(x, approximate="tanh")   is converted as the exact gelu
add(x, y, alpha=3)            is converted as x + y
rms_norm(x, shape)            is given an epsilon of 1e-5, where torch has that of the dtype

and where it has no word for an argument: a negative pad crops, a circular one wraps around, and an average may
be divided by another number than there are values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, op, per_dimension

# Ops whose converter is right only while the argument has this value.
_READ_AS = {
    "gelu": ("approximate", "none"),
    "add.Tensor": ("alpha", 1),
    "sub.Tensor": ("alpha", 1),
    "rsub.Tensor": ("alpha", 1),
    "avg_pool2d": ("divisor_override", None),
}


def is_misread(node: Node) -> bool:
    """Whether coremltools has a converter, and it computes something else."""
    name = op(node)
    if name in _READ_AS:
        parameter, only = _READ_AS[name]
        return argument(node, parameter) != only
    if name in {"pad", "constant_pad_nd"}:
        return min(argument(node, "pad")) < 0 or _pad_mode(node) == "circular"
    return name == "rms_norm"


def definition(node: Node) -> Callable[..., Any] | None:
    return _DEFINITIONS.get(op(node))


def _pad_mode(node: Node) -> str:
    return argument(node, "mode") if has_argument(node, "mode") else "constant"


def _itself(x: Tensor) -> Tensor:
    return x


def _tanh_gelu(x: Tensor, *, approximate: str) -> Tensor:
    """In the form that coremltools fuses into its own `gelu` of that mode."""
    inner = torch.add(x, torch.pow(x, 3.0) * 0.044715) * math.sqrt(2 / math.pi)
    return x * ((torch.tanh(inner) + 1.0) * 0.5)


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


def _log_sigmoid(x: Tensor) -> Tensor:
    return torch.clamp(x, max=0.0) - torch.log(torch.exp(-torch.abs(x)) + 1.0)


def _lerp(x: Tensor, y: Tensor, weight: float) -> Tensor:
    return x + (y - x) * weight


def _pad(x: Tensor, pad: list[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Cropped first, then padded: along each axis, or wrapped around it."""
    for axis, (before, behind) in enumerate(zip(pad[::2], pad[1::2], strict=True), start=1):
        if mode == "circular" and before > 0:
            x = torch.cat([x.narrow(-axis, x.shape[-axis] - before, before), x], -axis)
        if mode == "circular" and behind > 0:
            x = torch.cat([x, x.narrow(-axis, max(before, 0), behind)], -axis)
        start, end = max(-before, 0), x.shape[-axis] - max(-behind, 0)
        if (start, end) != (0, x.shape[-axis]):
            x = x.narrow(-axis, start, end - start)
    rest = [max(n, 0) for n in pad]
    return x if mode == "circular" or not any(rest) else F.pad(x, rest, mode, value)


def _constant_pad(x: Tensor, pad: list[int], value: float = 0.0) -> Tensor:
    return _pad(x, pad, "constant", value)


def _average_pool(x: Tensor, kernel_size: list[int], *args: Any, **kwargs: Any) -> Tensor:
    """The sum of a window over another number: the mean of the padded window, times their ratio."""
    named = dict(zip(_POOL_ARGUMENTS, args, strict=False)) | kwargs
    divisor = named.pop("divisor_override")
    mean = F.avg_pool2d(x, kernel_size, **{**named, "count_include_pad": True})
    return mean * (math.prod(per_dimension(kernel_size, 2)) / divisor)


_POOL_ARGUMENTS = ("stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
_DEFINITIONS: dict[str, Callable[..., Any]] = {
    "alias": _itself,
    "gelu": _tanh_gelu,
    "add.Tensor": _add,
    "sub.Tensor": _sub,
    "rsub.Tensor": _rsub,
    "rms_norm": _rms_norm,
    "pad": _pad,
    "constant_pad_nd": _constant_pad,
    "avg_pool2d": _average_pool,
    "var_mean.correction": _var_mean,
    "lerp.Scalar": _lerp,
    "log_sigmoid": _log_sigmoid,
}
