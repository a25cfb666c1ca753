"""Exact matching of constants in onnxscript's optimiser.

Its patterns accept any constant within 1e-8 of theirs, or within a part in 100,000: `x + 1e-15`
loses its epsilon as `x + 0` would, and `x * 1.000001` its factor. A division by a sum of zeros is
then a NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from edgevit.backends.session import load_library

_IDENTITIES = (
    0,
    1,
)  # of a sum and of a product: leaving out what is nearly one changes what is computed


@contextmanager
def exact_constants() -> Iterator[None]:
    matcher = load_library("onnxscript.rewriter._matcher", "onnx")
    with patch.object(matcher, "math", SimpleNamespace(isclose=_is_close)):
        yield


def _is_close(constant: Any, expected: Any, **tolerances: float) -> bool:
    if expected in _IDENTITIES:
        return constant == expected
    return math.isclose(constant, expected, **tolerances)
