"""What TVM stores as integers: it computes in floats between them, so they save size alone."""

from __future__ import annotations

from edgevit.quantize import FLOAT, QuantScheme
from edgevit.support.backend_info import AutomaticPrecision
from edgevit.targets import Target

SCHEMES = {
    "int8": QuantScheme(between=frozenset({"add", "cat"})),
    "w8": QuantScheme(activations=FLOAT),
}


def automatic(target: Target) -> AutomaticPrecision:
    return AutomaticPrecision(
        "fp32", "TVM converts integers to floats to compute, which takes time"
    )
