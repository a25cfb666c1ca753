"""How an Ethos-U computes in integers: all of it, constants of sums and products too.

The ranges of softmax, sigmoid and tanh are fixed by TFLite's kernels.
"""

from __future__ import annotations

from dataclasses import replace

from edgevit.backends.tflite import SCHEMES as TFLITE_SCHEMES
from edgevit.quantize import EVERY, Grid, QuantScheme

_MORE = frozenset(
    {"div", "neg", "sum", "max_pool2d", "amax", "amin", "maximum", "minimum", "abs"}
    | {"tanh", "relu", "relu6", "hardtanh", "clamp", "clamp_min", "clamp_max", "leaky_relu", "elu"}
    | {"exp", "log", "sqrt", "rsqrt", "reciprocal", "pow", "sin", "cos", "upsample_bilinear2d"}
)
_WHOLE = frozenset({"layer_norm", "group_norm", "rms_norm", "scaled_dot_product_attention", "silu"})
_OF_PROBABILITIES = Grid(1 / 256, -128)

SCHEMES: dict[str, QuantScheme] = {
    "int8": replace(
        TFLITE_SCHEMES["int8"],
        integer=EVERY.integer - _WHOLE | _MORE,
        between=frozenset[str](),
        float_stream=False,
        float_worst=False,
        constants=True,
        objection=None,
        fixed={
            "softmax": _OF_PROBABILITIES,
            "sigmoid": _OF_PROBABILITIES,
            "tanh": Grid(1 / 128, 0),
        },
    )
}
