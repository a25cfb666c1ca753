"""Constants of a saved package, as they lie in its weight file."""

from __future__ import annotations

from pathlib import Path

from edgevit.backends.coreml.check.blob import WeightFile
from edgevit.backends.coreml.check.element import ELEMENTS
from edgevit.quantize import StoredTensor


def stored(package: Path) -> tuple[StoredTensor, ...]:
    by_code = {element.blob: element for element in ELEMENTS.values() if element.blob is not None}
    return tuple(
        StoredTensor(by_code[code].bits, size, not by_code[code].is_float)
        for file in package.rglob("weight.bin")
        for code, size in WeightFile(file).elements()
    )
