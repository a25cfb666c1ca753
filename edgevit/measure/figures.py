"""What a measurement says: one `Figures` an artifact, one `Session` for those that were measured together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgevit.backends.session import OpTime
from edgevit.errors import EdgevitError
from edgevit.measure.device import DeviceState
from edgevit.measure.timing import Latency, Subject

Kind = Literal["measured", "emulated"]
Unit = Literal["seconds", "instructions", "ticks"]


@dataclass(frozen=True)
class Settings:
    """How to measure. What a runner has no use for it leaves alone."""

    threads: int = 0  # 0: as many as the device has cores
    rounds: int = 20
    warmup: int = 3
    ops: bool = False
    limit: float = 600.0  # seconds for one request; what hangs longer is killed
    core: str | None = None  # emulator: another core than the folder's
    toolchain: str = "zig"
    emulator: str | None = None
    flash: str | None = None  # serial: the tool that writes the firmware first
    elf: str | None = None  # what it writes
    chip: str | None = None  # as that tool calls the board
    trust: bool = False  # to run code that somebody else exported


@dataclass(frozen=True)
class Memory:
    """Bytes, of firmware."""

    ram: int
    arena: int
    stack: int
    flash: int


@dataclass(frozen=True)
class LayerCost:
    """One layer of firmware, in the unit of its figures."""

    name: str
    kind: str
    cost: float


@dataclass(frozen=True)
class Figures:
    """Of one artifact. With an `error` there are no rounds."""

    subject: Subject
    kind: Kind
    unit: Unit
    rounds: tuple[float, ...]
    ratio: float | None = None  # to the first of the session, round by round; None for itself
    ratio_spread: tuple[float, float] | None = None
    ops: tuple[OpTime, ...] = ()
    ops_missing: str = ""
    layers: tuple[LayerCost, ...] = ()
    memory: Memory | None = None
    golden_match: bool | None = None  # None: not looked at
    notes: tuple[str, ...] = ()
    error: EdgevitError | None = None
    when: str = ""

    @property
    def latency(self) -> Latency:
        """In `unit`: median, middle half, spread. Only where there are rounds."""
        return Latency.of(self.rounds)

    @property
    def value(self) -> float | None:
        return self.latency.median if self.rounds else None


@dataclass(frozen=True)
class Session:
    """One `Figures` for each artifact asked for, in order."""

    figures: tuple[Figures, ...]
    device: DeviceState
    settings: Settings
    when: str
    from_store: bool = False  # all of it was measured before
    unkept: EdgevitError | None = None  # why the store could not take it

    @property
    def first_error(self) -> EdgevitError | None:
        return next((f.error for f in self.figures if f.error is not None), None)


def lost(subject: Subject, error: EdgevitError, kind: Kind, unit: Unit) -> Figures:
    return Figures(subject, kind, unit, (), error=error)


def raise_if_all_lost(figures: Sequence[Figures]) -> None:
    """One lost artifact of several is told beside the figures of the others; where nothing is left it is the error."""
    errors = [f.error for f in figures if f.error is not None]
    if errors and len(errors) == len(figures):
        raise errors[0]
