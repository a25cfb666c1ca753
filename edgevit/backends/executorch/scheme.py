"""How XNNPACK, ExecuTorch's delegate, computes in integers."""

from __future__ import annotations

from dataclasses import replace

from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.program import Program, has_tensor, value
from edgevit.quantize import QuantScheme, averages_parts
from edgevit.support.backend_info import AUTO, AutomaticPrecision
from edgevit.targets import Target

_MOST_AXES = 6  # of a tensor in XNNPACK


def _objection(node: Node, program: Program) -> str | None:
    """Return why XNNPACK does not take the call: nothing else quantises or reads integers."""
    around = [one for one in (node, *node.all_input_nodes) if has_tensor(one)]
    if any(value(one).dim() > _MOST_AXES for one in around):
        return f"XNNPACK takes at most {_MOST_AXES} axes"
    if kind(node) == "linear" and value(operand(node)).dim() < 2:
        return "XNNPACK multiplies matrices, and this is a vector"
    if kind(node) == "linear" and _adds_up(node, program):
        return "a sum is a divisor or a mean, whose rounding is in all that is behind it"
    if averages_parts(node):
        return "XNNPACK averages whole images in integers"
    return None


def _adds_up(node: Node, program: Program) -> bool:
    """Check for a sum or a mean, which is written as a product with one row of equal numbers."""
    weight = program.constants.get(str(argument(node, "weight").target))
    return weight is not None and len(weight) == 1 and bool((weight == weight.flatten()[0]).all())


# A partition of the delegate may not share a dequantize call with the graph around it.
_INT8 = QuantScheme(
    activations="int8",
    between=frozenset({"add", "cat", "mul", "mean", "adaptive_avg_pool2d"}),
    clamps=frozenset({"relu", "relu6", "hardtanh"}),
    read_apart=True,
    objection=_objection,
    float_stream=True,
    float_worst=True,
)
_LINEAR = frozenset({"linear"})
_AUTO = replace(_INT8, dynamic=_LINEAR)
SCHEMES = {
    "int8": _INT8,
    "int8-dynamic": replace(_INT8, integer=_LINEAR, between=frozenset[str](), dynamic=_LINEAR),
    "auto": _AUTO,
    "mixed": replace(_INT8, mixed=True),
    # No other kernel reads 4 bits.
    "w4a8": replace(_AUTO, weight_bits=4, narrow=_LINEAR, float_worst=False),
}


def automatic(target: Target) -> AutomaticPrecision:
    return AutomaticPrecision(
        AUTO,
        "linear layers quantise what they read as they run, since norms and attention around them are floats; "
        "convolutions have fixed ranges",
    )
