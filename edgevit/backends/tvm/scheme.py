"""What TVM stores as integers: it computes in floats between them, so they save size alone."""

from __future__ import annotations

from edgevit.quantize import FLOAT, QuantScheme

SCHEMES = {
    "int8": QuantScheme(between=frozenset({"add", "cat"})),
    "w8": QuantScheme(activations=FLOAT),
}
