"""The Core ML check: a saved package, read back from disk and run on any OS.

`load_package` reads it, `interpret` runs it, `first_departure` says where it goes astray.
"""

from edgevit.backends.coreml.check.departure import (
    Departure,
    Difference,
    first_departure,
    first_fp16_departure,
)
from edgevit.backends.coreml.check.interpret import Precision, Run, Unchecked, interpret
from edgevit.backends.coreml.check.package import load_package
from edgevit.backends.coreml.check.program import Package
from edgevit.backends.coreml.check.rounding import Rounding

__all__ = [
    "Departure",
    "Difference",
    "Package",
    "Precision",
    "Rounding",
    "Run",
    "Unchecked",
    "first_departure",
    "first_fp16_departure",
    "interpret",
    "load_package",
]
