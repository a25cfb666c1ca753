"""What some ops mean, where coremltools 9.0 silently leaves out an argument or torch's definition leaves ATen.

gelu(x, approximate="tanh")   is converted as the exact gelu
add(x, y, alpha=3)            is converted as x + y
rms_norm(x, shape)            is given an epsilon of 1e-5, where torch has that of the dtype
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx.node import Node

from edgevit.graph.aten import argument, op

# Ops whose converter is right only while the argument has this value.
_READ_AS = {
    "gelu": ("approximate", "none"),
    "add.Tensor": ("alpha", 1),
    "sub.Tensor": ("alpha", 1),
    "rsub.Tensor": ("alpha", 1),
}


def is_misread(node: Node) -> bool:
    """Whether coremltools has a converter, and it computes something else."""
    name = op(node)
    if name in _READ_AS:
        parameter, only = _READ_AS[name]
        return argument(node, parameter) != only
    return name == "rms_norm"


def definition(node: Node) -> Callable[..., Any] | None:
    return _DEFINITIONS.get(op(node))


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


_DEFINITIONS: dict[str, Callable[..., Any]] = {
    "alias": _itself,
    "gelu": _tanh_gelu,
    "add.Tensor": _add,
    "sub.Tensor": _sub,
    "rsub.Tensor": _rsub,
    "rms_norm": _rms_norm,
    "var_mean.correction": _var_mean,
    "lerp.Scalar": _lerp,
    "log_sigmoid": _log_sigmoid,
}
