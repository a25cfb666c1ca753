"""How the Hexagon tensor processor computes in integers.

Norms, softmaxes and the residual stream between them compute in float16 in the same graph: one
outlier of a token leaves the others few of even 16 bits. A chip without floats computes every call
in integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgevit.backends.qnn.soc import soc_of
from edgevit.quantize import EVERY, QuantScheme
from edgevit.support.backend_info import AutomaticPrecision
from edgevit.targets import Target

_PRODUCTS = frozenset({"linear", "conv1d", "conv2d", "conv_transpose2d", "matmul", "bmm"})
_BETWEEN = frozenset(
    {"add", "sub", "mul", "cat", "mean", "avg_pool2d", "adaptive_avg_pool2d", "max_pool2d"}
    | {"gelu", "silu", "sigmoid", "hardswish", "hardsigmoid", "relu", "relu6", "hardtanh"}
    | {"clamp", "clamp_min", "leaky_relu", "upsample_nearest2d", "upsample_bilinear2d"}
)
_OTHERS = frozenset(
    {"div", "neg", "tanh", "adaptive_max_pool2d", "sum", "amax", "amin", "pow", "sqrt", "rsqrt"}
    | {"exp", "sin", "cos", "elu", "batch_norm", "instance_norm", "where", "maximum", "minimum"}
)
_WITH_FLOATS = QuantScheme(integer=_PRODUCTS, between=_BETWEEN)
_WITHOUT = QuantScheme(integer=EVERY.integer | _BETWEEN | _OTHERS)
_TYPES = {"int8": "uint8", "w8a16": "uint16"}


def automatic(target: Target) -> AutomaticPrecision:
    return AutomaticPrecision(
        "w8a16", "its NPU has integers throughout, and 16 bits hold the outliers of a transformer"
    )


def schemes(target: Target | None) -> Mapping[str, QuantScheme]:
    soc = soc_of(target) if target else None
    scheme = _WITHOUT if soc and not soc.fp16 else _WITH_FLOATS
    return {name: replace(scheme, activations=type_) for name, type_ in _TYPES.items()}
