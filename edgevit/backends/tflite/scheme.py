"""How LiteRT computes in integers on a CPU."""

from __future__ import annotations

from edgevit.quantize import QuantScheme

# The converter reads weights as floats that the graph quantises.
_INT8 = QuantScheme(
    activations="int8",
    between=frozenset({"add", "cat", "gelu", "hardswish", "avg_pool2d"}),
    from_float=True,
)
SCHEMES = {"int8": _INT8}
