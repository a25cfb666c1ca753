"""Constants of an ONNX file, as they lie in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit.backends.session import load_library
from edgevit.quantize import StoredTensor

_BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 10: 16, 11: 64, 12: 32, 21: 4, 22: 4}
_FLOATS = frozenset({1, 10, 11})


def stored(path: Path) -> tuple[StoredTensor, ...]:
    model: Any = load_library("onnx", "onnx").load(path, load_external_data=False)
    return tuple(
        StoredTensor(bits, (_count(tensor) * bits + 7) // 8, tensor.data_type not in _FLOATS)
        for tensor in model.graph.initializer
        if (bits := _BITS.get(tensor.data_type))
    )


def _count(tensor: Any) -> int:
    count = 1
    for size in tensor.dims:
        count *= size
    return count
