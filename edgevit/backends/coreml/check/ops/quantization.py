"""Quantise and dequantise activations."""

from __future__ import annotations

import torch
from torch import Tensor

from edgevit.backends.coreml.check.element import BY_NAME
from edgevit.backends.coreml.check.ops.arguments import Arguments, OpFunction


def quantize(a: Arguments) -> Tensor:
    x = a.tensor("input")
    scale, zero = scale_and_zero(a, x)
    dtype = BY_NAME[a.text("output_dtype")].tensor_dtype
    limits = torch.iinfo(dtype)
    steps = torch.round(x / scale) + zero
    return steps.clamp(limits.min, limits.max).to(torch.int32).to(dtype)


def dequantize(a: Arguments) -> Tensor:
    x = a.tensor("input")
    scale, zero = scale_and_zero(a, x)
    return (x.float() - zero) * scale


def scale_and_zero(a: Arguments, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return scale and zero point, along `axis` if they are vectors; no zero point means 0."""
    scale, zero = a.tensor("scale"), a.maybe("zero_point")
    zero = torch.zeros(()) if zero is None else zero.float()
    return along(a, scale, x), along(a, zero, x)


def along(a: Arguments, value: Tensor, x: Tensor) -> Tensor:
    if value.dim() == 0:
        return value
    axis = a.integer("axis", 0) % x.dim()
    return value.reshape([-1 if i == axis else 1 for i in range(x.dim())])


OPS: dict[str, OpFunction] = {"quantize": quantize, "dequantize": dequantize}
