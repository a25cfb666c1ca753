"""Lines from a serial port or pseudo-terminal (as of QEMU), with the standard library alone."""

from __future__ import annotations

import os
import select
import time
from types import TracebackType

from edgevit.errors import DeviceError, MissingToolError


class SerialPort:
    """Serial port in raw mode: 8 bits, no parity, one stop bit, no flow control."""

    def __init__(self, path: str, baud: int) -> None:
        self.path = path
        self._left = b""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise DeviceError(
                f"the serial port {path} cannot be opened",
                where=f"serial:{path}",
                why=error.strerror or str(error),
                hint="is the board plugged in? may you read it (group dialout)?",
            ) from error
        try:
            self._configure(baud)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> SerialPort:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def line(self, until: float) -> str | None:
        """Return the next line, or None when `time.monotonic()` reaches `until`."""
        while b"\n" not in self._left:
            wait = until - time.monotonic()
            if wait <= 0:
                return None
            if select.select([self._file], [], [], wait)[0]:
                self._left += self._read()
        line, _, self._left = self._left.partition(b"\n")
        return line.decode("ascii", "replace").rstrip("\r")

    def _read(self) -> bytes:
        try:
            chunk = os.read(self._file, 4096)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error.strerror or str(error)) from error
        if not chunk:
            raise self._gone("end of file")
        return chunk

    def _gone(self, why: str) -> DeviceError:
        return DeviceError(
            f"the serial port {self.path} went away",
            where=f"serial:{self.path}",
            why=why,
            hint="is the cable sound?",
            retryable=True,
        )

    def _configure(self, baud: int) -> None:
        try:
            import termios
        except ModuleNotFoundError as error:  # not on Windows
            raise MissingToolError("serial ports are read on Linux and macOS alone") from error
        speed = getattr(termios, f"B{baud}", None)
        if speed is None:
            raise DeviceError(
                f"{baud} baud is no speed of serial ports here", where=f"serial:{self.path}"
            )
        try:
            settings = termios.tcgetattr(self._file)
        except termios.error as error:
            raise DeviceError(
                f"{self.path} is no serial port",
                where=f"serial:{self.path}",
                why=str(error.args[-1]),
            ) from error
        control = termios.CS8 | termios.CREAD | termios.CLOCAL
        characters = settings[6]
        termios.tcsetattr(self._file, termios.TCSANOW, [0, 0, control, 0, speed, speed, characters])
