"""How Core ML stores integers, and how the Neural Engine computes in them from A17 Pro and M4 on."""

from __future__ import annotations

from dataclasses import replace

from edgevit.quantize import FLOAT, QuantScheme, palette
from edgevit.support.backend_info import AutomaticPrecision
from edgevit.targets import Target

_PRODUCTS = frozenset({"linear", "conv1d", "conv2d"})
_WEIGHTED = _PRODUCTS | {"conv_transpose2d"}

# What stays in floats is float16, and so are the scales. Products of bytes are sums of more bits: float16 where no call in
# integers reads them.
_INT8 = QuantScheme(
    activations="int8",
    between=frozenset({"add", "cat", "avg_pool2d"}),
    unrounded=_PRODUCTS,
    half_scales=True,
    float_worst=True,
)
_WEIGHTS = QuantScheme(activations=FLOAT, integer=_WEIGHTED, half_scales=True)
_BLOCK = 32


SCHEMES = {
    "int8": _INT8,
    "mixed": replace(_INT8, mixed=True, float_worst=False),
    "w4a8": replace(_INT8, weight_bits=4, block=_BLOCK, folded=True, float_worst=False),
    "w8": _WEIGHTS,
    "w4": replace(_WEIGHTS, weight_bits=4, block=_BLOCK, folded=True),
    "palette8": palette(_WEIGHTS, 8),
    "palette6": palette(_WEIGHTS, 6),
    "palette4": palette(_WEIGHTS, 4),
}


def automatic(target: Target) -> AutomaticPrecision:
    if target.npu is not None and target.npu.int8:
        return AutomaticPrecision("int8", f"the {target.npu.name} computes in integers")
    return AutomaticPrecision(
        "w8", "its Neural Engine computes in fp16 alone: integers of activations would save no time"
    )


IOS_18 = frozenset({"w4", "w4a8"})  # integers of 4 bits in blocks came with it
