"""Constants in C: arrays and parameter structs, each distinct content stored once.

Arrays are beside the code as C arrays, or *apart*: one run of bytes under one name, which may be
another C file, an object, or a binary somewhere in the address space. Or they are *paged*: a run of
bytes for each loop, read into one buffer before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgevit.backends.mcu.kernels.card import KernelCall

_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t"}  # fmt: skip
_PER_LINE = 32
_ALIGNMENT = 16  # a vector of the widest core


class Constants:
    def __init__(self, prefix: str, apart: bool = False, paged: bool = False) -> None:
        self._prefix = prefix
        self._apart = apart
        self._paged = paged  # what is asked for before the first page is beside the code
        self._names: dict[str, str] = {}
        self._lines: list[str] = []
        self._places: dict[bytes, int] = {}
        self._blob = bytearray()
        self._starts: list[int] = []

    def begin_page(self) -> None:
        """Start a new page before each loop, if weights are paged."""
        if self._paged:
            self._apart = True
            self._starts.append(len(self._blob))
            self._places = {}

    @property
    def pages(self) -> tuple[tuple[int, int], ...]:
        """Start and size of each loop's page; empty if weights are not paged."""
        ends = [*self._starts[1:], len(self._blob)] if self._starts else []
        return tuple((start, end - start) for start, end in zip(self._starts, ends, strict=True))

    def array(self, data: np.ndarray) -> str:
        flat = np.ascontiguousarray(data).ravel()
        ctype = _TYPES[flat.dtype.name]
        if self._apart:
            place = self._place(flat.astype(flat.dtype.newbyteorder("<")).tobytes())
            return f"(const {ctype} *)(const void *)({self._prefix}_weights + {place}u)"
        body = braced(flat)
        size = f"[{len(flat)}] __attribute__((aligned({_ALIGNMENT})))"
        return self._shared(f"const {ctype}", size, body, "w")

    def parameters(self, call: KernelCall) -> str:
        return self._shared(f"const struct {call.struct}", "", self._braced(call.fields), "p")

    def text(self) -> str:
        largest = max((size for _, size in self.pages), default=0)
        buffer = f"static uint8_t {self._prefix}_weights[{max(largest, 1)}] __attribute__((aligned({_ALIGNMENT})));"
        return "\n".join([*([buffer] if self._paged else []), *self._lines])

    @property
    def weights(self) -> bytes:
        """Bytes of all arrays, little-endian, each aligned; empty if they are beside the code."""
        return bytes(self._blob)

    def _place(self, data: bytes) -> int:
        if data not in self._places:
            self._places[data] = len(self._blob) - (self._starts[-1] if self._paged else 0)
            self._blob += data + bytes(-len(data) % _ALIGNMENT)
        return self._places[data]

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


def braced(flat: np.ndarray) -> str:
    numbers = [str(int(x)) for x in flat]
    rows = [", ".join(numbers[i : i + _PER_LINE]) for i in range(0, len(numbers), _PER_LINE)]
    return "{\n    " + ",\n    ".join(rows) + "}"
