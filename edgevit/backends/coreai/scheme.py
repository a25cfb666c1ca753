"""How Core AI stores weights: as Core ML does, expanded to float16 as they are read."""

from __future__ import annotations

from dataclasses import replace

from edgevit.quantize import FLOAT, QuantScheme, palette
from edgevit.support.backend_info import AutomaticPrecision
from edgevit.targets import Target

_WEIGHTS = QuantScheme(
    activations=FLOAT,
    integer=frozenset({"linear", "conv1d", "conv2d", "conv_transpose2d"}),
    half_scales=True,
    folded=True,
)
_BLOCK = 32


SCHEMES = {
    "w8": _WEIGHTS,
    "w4": replace(_WEIGHTS, weight_bits=4, block=_BLOCK),
    "palette8": palette(_WEIGHTS, 8),
    "palette6": palette(_WEIGHTS, 6),
    "palette4": palette(_WEIGHTS, 4),
}


def automatic(target: Target) -> AutomaticPrecision:
    return AutomaticPrecision("fp16", "Core AI computes in floats; integers make its file smaller")
