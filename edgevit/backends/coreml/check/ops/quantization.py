"""Quantise and dequantise activations."""

from __future__ import annotations

import torch
from torch import Tensor

from edgevit.backends.coreml.check.element import BY_NAME
from edgevit.backends.coreml.check.ops.arguments import Arguments, OpFunction


def along(a: Arguments, name: str, x: Tensor) -> Tensor | None:
    """A vector parameter laid along `axis`; a scalar as it is."""
    value = a.maybe(name)
    if value is None or value.dim() == 0:
        return value
    axis = a.integer("axis", 0) % x.dim()
    return value.reshape([-1 if i == axis else 1 for i in range(x.dim())])


def quantize(a: Arguments) -> Tensor:
    x, scale, zero = a.tensor("input"), along(a, "scale", a.tensor("input")), along(a, "zero_point", a.tensor("input"))
    held = BY_NAME[a.text("output_dtype")].held
    limits = torch.iinfo(held)
    steps = torch.round(x / scale) + (0 if zero is None else zero.float())
    return steps.clamp(limits.min, limits.max).to(torch.int32).to(held)


def dequantize(a: Arguments) -> Tensor:
    x = a.tensor("input")
    scale, zero = along(a, "scale", x), along(a, "zero_point", x)
    return (x.float() - (0 if zero is None else zero.float())) * scale


OPS: dict[str, OpFunction] = {"quantize": quantize, "dequantize": dequantize}
