"""How LiteRT computes in integers on a CPU."""

from __future__ import annotations

from dataclasses import replace

from edgevit.quantize import QuantScheme

# The converter reads weights as floats that the graph quantises. Where it changes the layout of a
# value it forgets the shape of the dequantize call, which a second reader would need. It gives calls
# in floats the encoding of their neighbours: a concatenation those of the other operands.
_INT8 = QuantScheme(
    activations="int8",
    between=frozenset({"add", "cat", "gelu", "hardswish", "avg_pool2d"}),
    from_float=True,
    read_apart=True,
    fenced=True,
)
_LINEAR = frozenset({"linear"})
SCHEMES = {
    "int8": _INT8,
    "int8-dynamic": replace(_INT8, integer=_LINEAR, between=frozenset[str](), dynamic=_LINEAR),
    "auto": replace(_INT8, dynamic=_LINEAR),
    "mixed": replace(_INT8, mixed=True),
}
