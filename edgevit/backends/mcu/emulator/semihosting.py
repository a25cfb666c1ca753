"""Host side of semihosting, as far as `kernels/run/report.c` uses it.

No call reaches this machine's files.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

SYS_OPEN, SYS_CLOSE, SYS_WRITE = 0x01, 0x02, 0x05
SYS_SEEK, SYS_FLEN, SYS_EXIT = 0x0A, 0x0C, 0x18


MOST_BYTES = 256 << 20  # of all that a program reports


@dataclass
class Files:
    """Files of a program, by name, in memory; it can only append, and only to these names."""

    names: Collection[str]
    written: dict[str, bytearray] = field(default_factory=dict)
    _opened: list[str] = field(default_factory=list)

    def open(self, name: str) -> int:
        """Return the file's handle; the first is 1."""
        if name not in self.names:
            raise KeyError(name)
        self.written.setdefault(name, bytearray())
        if name not in self._opened:
            self._opened.append(name)
        return self._opened.index(name) + 1

    def append(self, handle: int, data: bytes) -> None:
        if handle < 1:
            raise IndexError(handle)
        self.require_room(len(data))
        self.written[self._opened[handle - 1]].extend(data)

    def size(self, handle: int) -> int:
        if handle < 1:
            raise IndexError(handle)
        return len(self.written[self._opened[handle - 1]])

    def require_room(self, size: int) -> None:
        if size < 0 or sum(map(len, self.written.values())) + size > MOST_BYTES:
            raise ValueError(f"a program reports at most {MOST_BYTES:,} bytes")


@dataclass
class SemihostingHost:
    """Semihosting host of a program in Unicorn."""

    read: Callable[[int, int], bytes]  # address and size
    names: Collection[str]
    ended: bool = False

    def __post_init__(self) -> None:
        self.files = Files(self.names)

    def call(self, operation: int, argument: int) -> int:
        """Answer a call, and return the value for r0 or a0."""
        if operation == SYS_EXIT:
            self.ended = True
            return 0
        try:
            return self._answer(operation, *struct.unpack("<III", self.read(argument, 12)))
        except (ValueError, IndexError, KeyError):
            return -1

    def _answer(self, operation: int, first: int, second: int, third: int) -> int:
        if operation == SYS_OPEN:
            return self.files.open(self._bytes(first, third).decode("ascii"))
        if operation == SYS_WRITE:
            self.files.append(first, self._bytes(second, third))
            return 0
        if operation == SYS_FLEN:
            return self.files.size(first)
        return 0 if operation in (SYS_SEEK, SYS_CLOSE) else -1

    def _bytes(self, place: int, size: int) -> bytes:
        self.files.require_room(size)
        return self.read(place, size)
