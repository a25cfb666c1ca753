"""Time and memory of each stage, and progress lines for the user."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TextIO

from edgevit.support.terminal import show, shown


@dataclass(frozen=True)
class StageCost:
    stage: str
    seconds: float
    peak_memory_mb: float  # high-water mark of the whole process when the stage ended


@dataclass
class Stages:
    """Collector of the cost of each stage. `stream` gets one line per stage; None is silent."""

    stream: TextIO | None = None
    costs: list[StageCost] = field(default_factory=list)
    _shown: int = 0

    @contextlib.contextmanager
    def stage(self, name: str, what: str) -> Iterator[None]:
        self._start(what)
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        self.costs.append(StageCost(name, seconds, peak_memory_mb()))
        self._end(what, seconds)

    def fork(self) -> Stages:
        """Return a copy with the costs so far, for one of several continuations."""
        return Stages(self.stream, list(self.costs))

    def note(self, text: str) -> None:
        """Show the current step of a long stage, on a terminal alone: a log would fill up."""
        if self.stream is not None and self.stream.isatty():
            self._rewrite(f"  {text}")

    def say(self, text: str) -> None:
        """Print a permanent line."""
        if self.stream is not None:
            self.clear()
            show(text, file=self.stream, flush=True)

    def clear(self) -> None:
        """Erase the last note."""
        if self.stream is not None and self.stream.isatty():
            self._rewrite("")

    def as_dict(self) -> dict[str, dict[str, float]]:
        return {
            cost.stage: {
                "seconds": round(cost.seconds, 3),
                "peak_memory_mb": round(cost.peak_memory_mb, 1),
            }
            for cost in self.costs
        }

    def _start(self, what: str) -> None:
        if self.stream is not None and self.stream.isatty():
            self._rewrite(f"  {what} ...")

    def _end(self, what: str, seconds: float) -> None:
        if self.stream is None:
            return
        if self.stream.isatty():
            self._rewrite("")
        show(f"  {what:<52} {seconds:6.1f} s", file=self.stream, flush=True)

    def _rewrite(self, text: str) -> None:
        assert self.stream is not None
        text = shown(text)
        self.stream.write("\r" + " " * self._shown + "\r" + text)
        self.stream.flush()
        self._shown = len(text)


def peak_memory_mb() -> float:
    """Return this process's peak memory in MB, or 0 if the system does not report it (Windows)."""
    try:
        import resource
    except ImportError:
        return 0.0
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
