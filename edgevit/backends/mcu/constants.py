"""Constants in C: arrays and parameter structs. What holds the same is there once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgevit.backends.mcu.kernels.card import Call

_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t"}  # fmt: skip
_PER_LINE = 32


class Constants:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._names: dict[str, str] = {}
        self._lines: list[str] = []

    def array(self, data: np.ndarray) -> str:
        flat = np.ascontiguousarray(data).ravel()
        numbers = [str(int(x)) for x in flat]
        rows = [", ".join(numbers[i : i + _PER_LINE]) for i in range(0, len(numbers), _PER_LINE)]
        body = "{\n    " + ",\n    ".join(rows) + "}"
        size = f"[{len(flat)}] __attribute__((aligned(16)))"
        return self._shared(f"const {_TYPES[flat.dtype.name]}", size, body, "w")

    def parameters(self, call: Call) -> str:
        return self._shared(f"const struct {call.struct}", "", self._braced(call.fields), "p")

    def text(self) -> str:
        return "\n".join(self._lines)

    def _shared(self, ctype: str, size: str, body: str, letter: str) -> str:
        key = f"{ctype}{size}{body}"
        if key not in self._names:
            name = f"{self._prefix}_{letter}{len(self._names)}"
            self._names[key] = name
            self._lines.append(f"static {ctype} {name}{size} = {body};")
        return self._names[key]

    def _braced(self, fields: Mapping[str, Any]) -> str:
        return "{" + ", ".join(f".{k} = {self._field(x)}" for k, x in fields.items()) + "}"

    def _field(self, field: Any) -> str:
        if isinstance(field, np.ndarray):
            return self.array(field)
        if isinstance(field, Mapping):
            return self._braced(field)
        if isinstance(field, tuple):
            return "{" + ", ".join(map(str, field)) + "}"
        return f"{field}{'ull' if field >= 2**32 else 'u' if field >= 2**31 else ''}"
