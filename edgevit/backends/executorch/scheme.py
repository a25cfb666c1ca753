"""How XNNPACK, ExecuTorch's delegate, computes in integers."""

from __future__ import annotations

from edgevit.quantize import QuantScheme

# A partition of the delegate may not share a dequantize call with the graph around it.
_INT8 = QuantScheme(activations="int8", between=frozenset({"add", "cat", "mul"}), read_apart=True)
SCHEMES = {"int8": _INT8}
