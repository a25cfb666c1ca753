"""Results of a measurement: one `Figures` per artifact, one `MeasuredSession` per joint measurement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from edgevit.backends import FirmwareMemory, OpTime
from edgevit.errors import EdgevitError
from edgevit.measure.device import DeviceState
from edgevit.measure.timing import Latency, Subject
from edgevit.support.notebook import Row, Shown

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


@dataclass(frozen=True, repr=False)
class MeasuredSession(Shown):
    """Figures of several artifacts, in the order of the request."""

    figures: tuple[Figures, ...]
    device: DeviceState
    settings: Settings
    when: str
    from_store: bool = False  # all figures are stored ones
    unkept: EdgevitError | None = None  # error of the write to the store

    def _title(self) -> str:
        return f"{len(self.figures)} measured, {self.when}" + (
            " (from the store)" * self.from_store
        )

    def _rows(self) -> Iterator[Row]:
        for one in self.figures:
            yield one.subject.label, _figure_text(one)

    @property
    def first_error(self) -> EdgevitError | None:
        return next((f.error for f in self.figures if f.error is not None), None)


def _figure_text(one: Figures) -> str:
    if one.error is not None:
        return f"no figure: {one.error.message}"
    if one.unit != "seconds":
        return f"{one.latency.median:,.0f} {one.unit}, {one.kind}"
    latency = one.latency
    ratio = "" if one.ratio is None else f", {one.ratio:.2f} x the first"
    low, median, high = (x * 1e3 for x in (latency.low, latency.median, latency.high))
    return f"{median:.3g} ms ({low:.3g} to {high:.3g}), {one.kind}{ratio}"


def lost(subject: Subject, error: EdgevitError, kind: Kind, unit: Unit) -> Figures:
    return Figures(subject, kind, unit, (), error=error)


def raise_if_all_lost(figures: Sequence[Figures]) -> None:
    """Raise the first error if all artifacts failed.

    An error of some artifacts is reported beside the figures of the others.
    """
    errors = [f.error for f in figures if f.error is not None]
    if errors and len(errors) == len(figures):
        raise errors[0]
