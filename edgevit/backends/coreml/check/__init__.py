"""Core ML check: read a saved package back from disk and run it on any OS.

`load_package` reads it, `interpret` runs it, and `first_departure` finds the first operation whose
result departs.
"""

from edgevit.backends.coreml.check.departure import (
    Departure,
    Difference,
    first_departure,
    first_fp16_departure,
)
from edgevit.backends.coreml.check.interpret import InterpretedRun, Precision, Unchecked, interpret
from edgevit.backends.coreml.check.package import load_package
from edgevit.backends.coreml.check.program import MilPackage
from edgevit.backends.coreml.check.rounding import Rounding

__all__ = [
    "Departure",
    "Difference",
    "InterpretedRun",
    "MilPackage",
    "Precision",
    "Rounding",
    "Unchecked",
    "first_departure",
    "first_fp16_departure",
    "interpret",
    "load_package",
]
