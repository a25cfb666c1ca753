"""How ONNX Runtime computes in integers on a CPU."""

from __future__ import annotations

from dataclasses import replace

from edgevit.quantize import QuantScheme

# Sums and concatenations have integer kernels for unsigned bytes alone.
_INT8 = QuantScheme(
    activations="uint8",
    between=frozenset({"add", "cat", "mul", "avg_pool2d", "adaptive_avg_pool2d", "hardswish"}),
)
SCHEMES = {"int8": _INT8, "mixed": replace(_INT8, mixed=True)}
