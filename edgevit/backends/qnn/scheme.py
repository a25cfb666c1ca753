"""How the Hexagon tensor processor computes in integers: every call between quantised values."""

from __future__ import annotations

from dataclasses import replace

from edgevit.quantize import EVERY, QuantScheme

_INT8 = QuantScheme(
    activations="uint8",
    integer=EVERY.integer
    | {"div", "neg", "relu", "relu6", "hardtanh", "clamp", "clamp_min", "tanh", "sigmoid"}
    | {"max_pool2d", "adaptive_max_pool2d", "upsample_nearest2d", "upsample_bilinear2d"}
    | {"sum", "amax", "amin", "pow", "sqrt", "rsqrt", "exp", "sin", "cos"}
    | {"leaky_relu", "elu", "batch_norm", "instance_norm", "where", "maximum", "minimum"},
)
SCHEMES = {
    "int8": _INT8,
    "w8a16": replace(_INT8, activations="uint16"),
}
