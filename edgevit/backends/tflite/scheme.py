"""How LiteRT computes in integers on a CPU."""

from __future__ import annotations

from dataclasses import replace

from torch.fx.node import Node

from edgevit.graph.program import Program
from edgevit.quantize import QuantScheme, averages_parts
from edgevit.support.backend_info import AUTO, AutomaticPrecision
from edgevit.targets import Target


def _objection(node: Node, program: Program) -> str | None:
    return "LiteRT averages whole images in integers" if averages_parts(node) else None


# The converter reads weights as floats that the graph quantises. Where it changes the layout of a
# value it forgets the shape of the dequantize call, which a second reader would need. It gives calls
# in floats the encoding of their neighbours: a concatenation those of the other operands.
_INT8 = QuantScheme(
    activations="int8",
    between=frozenset(
        {"add", "cat", "gelu", "hardswish", "avg_pool2d", "adaptive_avg_pool2d", "mean"}
    ),
    from_float=True,
    read_apart=True,
    fenced=True,
    objection=_objection,
    float_stream=True,
    float_worst=True,
)
# The converter takes no concatenation and no function of 16 bits.
_WIDE = replace(
    _INT8,
    activations="int16",
    between=frozenset({"add", "avg_pool2d"}),
    float_stream=False,
    float_worst=False,
)
_LINEAR = frozenset({"linear"})
SCHEMES = {
    "int8": _INT8,
    "int8-dynamic": replace(_INT8, integer=_LINEAR, between=frozenset[str](), dynamic=_LINEAR),
    "auto": replace(_INT8, dynamic=_LINEAR),
    "mixed": replace(_INT8, mixed=True),
    "w4a8": replace(_INT8, weight_bits=4, float_worst=False),
    "w8a16": _WIDE,
}


def automatic(target: Target) -> AutomaticPrecision:
    return AutomaticPrecision(
        AUTO,
        "linear layers quantise what they read as they run, since norms and attention around them are floats; "
        "convolutions have fixed ranges",
    )
