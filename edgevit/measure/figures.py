"""Results of a measurement: one `Figures` per artifact, one `MeasuredSession` per joint measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgevit.backends import FirmwareMemory, OpTime
from edgevit.errors import EdgevitError
from edgevit.measure.device import DeviceState
from edgevit.measure.timing import Latency, Subject

Kind = Literal["measured", "emulated"]
Unit = Literal["seconds", "instructions", "ticks"]


@dataclass(frozen=True)
class Settings:
    """Settings of a measurement. A runner ignores those that it has no use for."""

    threads: int = 0  # 0: as many as the device has cores
    rounds: int = 20
    warmup: int = 3
    ops: bool = False
    limit: float = 600.0  # seconds until a request is killed
    core: str | None = None  # emulator: core other than the folder's
    toolchain: str = "zig"
    emulator: str | None = None
    flash: str | None = None  # serial: tool that flashes the firmware first
    elf: str | None = None  # serial: file to flash
    chip: str | None = None  # serial: the tool's name of the board
    trust: bool = False  # run code that another user exported


@dataclass(frozen=True)
class LayerCost:
    """Cost of one firmware layer, in the unit of its `Figures`."""

    name: str
    kind: str
    cost: float


@dataclass(frozen=True)
class Figures:
    """Figures of one artifact. With an `error` there are no rounds."""

    subject: Subject
    kind: Kind
    unit: Unit
    rounds: tuple[float, ...]
    ratio: float | None = None  # to the first of the session, round by round; None for itself
    ratio_spread: tuple[float, float] | None = None
    ops: tuple[OpTime, ...] = ()
    ops_missing: str = ""
    layers: tuple[LayerCost, ...] = ()
    memory: FirmwareMemory | None = None
    golden_match: bool | None = None  # None: not compared
    notes: tuple[str, ...] = ()
    error: EdgevitError | None = None
    when: str = ""

    @property
    def latency(self) -> Latency:
        """Median, interquartile range and spread, in `unit`. Requires rounds."""
        return Latency.of(self.rounds)

    @property
    def value(self) -> float | None:
        return self.latency.median if self.rounds else None


@dataclass(frozen=True)
class MeasuredSession:
    """Figures of several artifacts, in the order of the request."""

    figures: tuple[Figures, ...]
    device: DeviceState
    settings: Settings
    when: str
    from_store: bool = False  # all figures are stored ones
    unkept: EdgevitError | None = None  # error of the write to the store

    @property
    def first_error(self) -> EdgevitError | None:
        return next((f.error for f in self.figures if f.error is not None), None)


def lost(subject: Subject, error: EdgevitError, kind: Kind, unit: Unit) -> Figures:
    return Figures(subject, kind, unit, (), error=error)


def raise_if_all_lost(figures: Sequence[Figures]) -> None:
    """Raise the first error if all artifacts failed.

    An error of some artifacts is reported beside the figures of the others.
    """
    errors = [f.error for f in figures if f.error is not None]
    if errors and len(errors) == len(figures):
        raise errors[0]
