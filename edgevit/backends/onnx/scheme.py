"""How ONNX Runtime computes in integers on a CPU, and what an ONNX file can store."""

from __future__ import annotations

from dataclasses import replace

from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, kind
from edgevit.graph.program import Program, shape
from edgevit.quantize import FLOAT, QuantScheme
from edgevit.support.backend_info import AutomaticPrecision
from edgevit.targets import Target


def _objection(node: Node, program: Program) -> str | None:
    """Return why an integer kernel would be slower than the float one."""
    if kind(node) not in {"conv1d", "conv2d"}:
        return None
    groups, (outputs, inputs, *_) = integer(node, "groups"), shape(argument(node, "weight"))
    if groups == 1 or (inputs == 1 and outputs == groups):
        return None
    return "ONNX Runtime computes groups of channels one by one in integers, many times slower"


_LINEAR = frozenset({"linear"})
# Sums and concatenations have integer kernels for unsigned bytes alone. A matrix product's kernel returns floats
# where nothing rounds them.
_INT8 = QuantScheme(
    activations="uint8",
    between=frozenset(
        {"add", "cat", "mul", "sigmoid", "avg_pool2d", "adaptive_avg_pool2d", "hardswish"}
    ),
    objection=_objection,
    float_stream=True,
    float_worst=True,
    unrounded=_LINEAR,
)
WEIGHTS = QuantScheme(activations=FLOAT, integer=_LINEAR)
SCHEMES = {
    "int8": _INT8,
    "mixed": replace(_INT8, mixed=True),
    "int8-dynamic": QuantScheme(integer=_LINEAR, dynamic=_LINEAR),
    "w8a16": replace(_INT8, activations="uint16", float_stream=False, float_worst=False),
    "w4a8": replace(_INT8, weight_bits=4, folded=True, float_worst=False),
    "w4": QuantScheme(activations=FLOAT, weight_bits=4, block=32, folded=True),
}
OPSET_21 = frozenset({"w8a16", "w4a8", "w4"})  # 16-bit and 4-bit integers came with it


def automatic(target: Target) -> AutomaticPrecision:
    return AutomaticPrecision(
        "int8",
        "ONNX Runtime has no kernel for linear layers with ranges found as they run that is as fast as its float one",
        slowest=0.9,
    )
