"""Debugger that answers the host requests of a program in QEMU.

QEMU itself opens no file and runs no command for the program. It can pass semihosting calls to a
debugger (`target=gdb`), as packets of the GDB remote protocol ("File-I/O Remote Protocol
Extension"). This module is that debugger. A program may append to the few files by which
`kernels/run/report.c` reports, which are kept in memory; any other request is refused.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from edgevit.backends.mcu.emulator.semihosting import Files

_CHUNK = 1024  # bytes of memory in one packet; QEMU's take 4096 characters
_REFUSED = "F-1,1"  # EPERM


@dataclass
class Debugger:
    """Debugger that serves one QEMU over a connected socket, until it ends."""

    link: socket.socket
    names: Collection[str]  # files that may be written
    files: Files = field(init=False)
    _received: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.files = Files(self.names)

    def serve(self, seconds: float) -> bool:
        """Let the program run, and return whether QEMU ended by itself within the time."""
        deadline = time.monotonic() + seconds
        try:
            self._send("c")
            for packet in self._packets(deadline):
                if packet.startswith("F"):
                    self._send(self._answer(packet[1:], deadline))
        except TimeoutError:
            return False
        except OSError:  # it went in the middle of a packet
            return True
        return True

    def _answer(self, call: str, deadline: float) -> str:
        name, *words = call.split(",")
        try:
            if name == "open":
                place, size = words[0].split("/")
                text = self._memory(int(place, 16), int(size, 16), deadline)
                return f"F{self.files.open(text.rstrip(bytes(1)).decode('ascii')):x}"
            if name == "write":
                handle, place, size = (int(word, 16) for word in words)
                self.files.append(handle, self._memory(place, size, deadline))
                return f"F{size:x}"
            if name in ("lseek", "close"):  # a file only grows
                return "F0"
        except (ValueError, IndexError, KeyError):
            return _REFUSED
        return _REFUSED

    def _memory(self, place: int, size: int, deadline: float) -> bytes:
        self.files.require_room(size)
        data = b""
        while len(data) < size:
            count = min(_CHUNK, size - len(data))
            self._send(f"m{place + len(data):x},{count:x}")
            packet = next(self._packets(deadline), None)
            if packet is None:
                raise ConnectionError("QEMU ended")
            part = bytes.fromhex(packet)  # an error is no hexadecimal
            if len(part) != count:
                raise ValueError("QEMU gave another part of memory")
            data += part
        return data

    def _send(self, packet: str) -> None:
        data = packet.encode("ascii")
        self.link.sendall(b"$" + data + b"#%02x" % (sum(data) % 256))

    def _packets(self, deadline: float) -> Iterator[str]:
        """Yield each whole packet, acknowledged as the protocol requires."""
        while True:
            start, end = self._received.find(b"$"), self._received.find(b"#")
            if 0 <= start < end and len(self._received) >= end + 3:
                packet = self._received[start + 1 : end].decode("ascii", "replace")
                del self._received[: end + 3]
                self.link.sendall(b"+")
                yield packet
                continue
            self.link.settimeout(max(deadline - time.monotonic(), 0.001))
            data = self.link.recv(1 << 16)
            if not data:
                return
            self._received += data
