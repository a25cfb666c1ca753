"""How the Neural Engine computes in integers, from A17 Pro and M4 on."""

from __future__ import annotations

from edgevit.quantize import QuantScheme

# What stays in floats is float16, and so are the scales.
_INT8 = QuantScheme(
    activations="int8", between=frozenset({"add", "cat", "avg_pool2d"}), half_scales=True
)
SCHEMES = {"int8": _INT8}
