"""How ONNX Runtime computes in integers on a CPU, and what an ONNX file can store."""

from __future__ import annotations

from dataclasses import replace

from edgevit.quantize import FLOAT, QuantScheme

# Sums and concatenations have integer kernels for unsigned bytes alone.
_INT8 = QuantScheme(
    activations="uint8",
    between=frozenset({"add", "cat", "mul", "avg_pool2d", "adaptive_avg_pool2d", "hardswish"}),
)
_LINEAR = frozenset({"linear"})
WEIGHTS = QuantScheme(activations=FLOAT, integer=_LINEAR)
SCHEMES = {
    "int8": _INT8,
    "mixed": replace(_INT8, mixed=True),
    "int8-dynamic": QuantScheme(integer=_LINEAR, dynamic=_LINEAR),
    "w8a16": replace(_INT8, activations="uint16"),
    "w4a8": replace(_INT8, weight_bits=4, folded=True),
    "w4": QuantScheme(activations=FLOAT, weight_bits=4, block=32, folded=True),
}
OPSET_21 = frozenset({"w8a16", "w4a8", "w4"})  # 16-bit and 4-bit integers came with it
