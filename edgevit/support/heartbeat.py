"""Progress on a pipe: a first line at once, and a sign of life where nothing was said for seconds."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Iterator
from typing import TextIO

from edgevit.support.terminal import show

AT_ONCE = 0.6  # seconds until the first line; an error that is sooner stands alone
SECONDS = 4.5  # between signs of life; readers of logs are promised one in five seconds


class Heartbeat(io.TextIOBase):
    """A stream that writes to another one, and says by itself that work goes on."""

    def __init__(
        self, stream: TextIO, first: str, seconds: float = SECONDS, at_once: float = AT_ONCE
    ) -> None:
        self._stream = stream
        self._first = first
        self._at_once = at_once
        self._silent = True
        self._seconds = seconds
        self._lock = threading.Lock()
        self._started = self._last = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="heartbeat")
        self._thread.start()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        with self._lock:
            self._last, self._silent = time.monotonic(), False
            return self._stream.write(text)

    def flush(self) -> None:
        if not self._stream.closed:
            self._stream.flush()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        if not self._over.wait(self._at_once) and self._silent:
            self._say(self._first)
        while not self._over.wait(self._seconds / 10):
            if time.monotonic() - self._last < self._seconds:
                continue
            self._say(f"  still at work, {time.monotonic() - self._started:.0f} s")

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # whoever read it is gone
            show(text, file=self, flush=True)  # type: ignore[arg-type]


@contextlib.contextmanager
def heard(stream: TextIO, first: str) -> Iterator[TextIO]:
    """Yield the stream. A pipe gets `first` before a second is over, and signs of life after it."""
    if stream.isatty():
        yield stream
        return
    beating = Heartbeat(stream, first)
    try:
        yield beating  # type: ignore[misc]
    finally:
        beating.stop()
