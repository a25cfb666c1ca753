"""The host's side of semihosting, as far as `kernels/run/report.c` uses it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

SYS_OPEN, SYS_CLOSE, SYS_WRITE = 0x01, 0x02, 0x05
SYS_SEEK, SYS_FLEN, SYS_EXIT = 0x0A, 0x0C, 0x18


@dataclass
class Host:
    """Keeps what the program writes in memory, by file name. It only ever appends."""

    read: Callable[[int, int], bytes]  # address and size
    files: dict[str, bytearray] = field(default_factory=dict)
    ended: bool = False
    _names: list[str] = field(default_factory=list)  # handle 1 is the first

    def call(self, operation: int, argument: int) -> int:
        """What the program gets back in r0 or a0."""
        if operation == SYS_EXIT:
            self.ended = True
            return 0
        first, second, third = struct.unpack("<III", self.read(argument, 12))
        if operation == SYS_OPEN:
            return self._open(self.read(first, third).decode())
        file = self.files[self._names[first - 1]]
        if operation == SYS_WRITE:
            file.extend(self.read(second, third))
            return 0
        if operation == SYS_FLEN:
            return len(file)
        return 0 if operation in (SYS_SEEK, SYS_CLOSE) else -1

    def _open(self, name: str) -> int:
        self.files.setdefault(name, bytearray())
        self._names.append(name)
        return len(self._names)
