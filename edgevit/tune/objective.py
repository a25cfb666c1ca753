"""Objectives of a trial: time relative to the default's, or exact counts on an emulated core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from edgevit.errors import EdgevitError, MemoryLimitError, ParityError
from edgevit.export import exclusive_machine_lock
from edgevit.measure import Figures, MeasuredSession, Progress, Runner, Settings, Store, measured

_LOOK = 3  # rounds of the preliminary measurement
_HOPELESS = 1.5  # no full measurement if the ratio's lower quartile reaches this


@dataclass(frozen=True)
class TrialExport:
    """Exported folder of a point, and its number of threads."""

    folder: Path
    threads: int = 0


class Objective(Protocol):
    names: tuple[str, ...]  # names of the values, all minimised

    def judge(
        self, artifact: TrialExport, default: TrialExport
    ) -> tuple[list[float], dict[str, Any]]:
        """Return the objective values and the figures.

        Raises if the artifact cannot run, or may not.
        """
        ...


@dataclass(frozen=True)
class LatencyObjective:
    """Latency relative to the default, interleaved so that load affects both alike."""

    runner: Runner
    settings: Settings
    store: Store | None
    progress: Progress
    names: tuple[str, ...] = ("ratio",)

    def judge(
        self, artifact: TrialExport, default: TrialExport
    ) -> tuple[list[float], dict[str, Any]]:
        if artifact == default:
            one = self.compare([default]).figures[0]
            return [1.0], {"kind": one.kind, "ms": one.latency.median * 1e3}
        session = self.compare([default, artifact], _LOOK)
        if pair_figures(session)["ratio_low"] < _HOPELESS:
            session = self.compare([default, artifact])
        ratio = session.figures[1].ratio
        assert ratio is not None
        return [ratio], pair_figures(session)

    def compare(self, artifacts: Sequence[TrialExport], rounds: int = 0, fresh: bool = False) -> MeasuredSession:  # fmt: skip
        """Time artifacts interleaved. Ratios are to the first. `fresh`: ignore stored figures."""
        subjects = [replace(self.runner.subject(a.folder), threads=a.threads) for a in artifacts]
        settings = replace(self.settings, rounds=rounds or self.settings.rounds)
        with exclusive_machine_lock():
            session = measured(
                [], self.runner, settings, self.store,
                fresh=fresh, progress=self.progress, more=subjects,
            )  # fmt: skip
        if session.first_error is not None:
            raise session.first_error
        return session


def pair_figures(session: MeasuredSession, index: int = 1) -> dict[str, Any]:
    default, other = session.figures[0], session.figures[index]
    assert other.ratio is not None and other.ratio_spread is not None
    return {
        "kind": other.kind,
        "default_ms": default.latency.median * 1e3,
        "ms": other.latency.median * 1e3,
        "default_spread": default.latency.spread,
        "spread": other.latency.spread,
        "ratio": other.ratio,
        "ratio_low": other.ratio_spread[0],
        "ratio_high": other.ratio_spread[1],
        "rounds": len(other.rounds),
        "when": session.when,
    }


@dataclass(frozen=True)
class Counts:
    """RAM and instructions of firmware. They are exact, so one run suffices.

    A run with other than the golden outputs does not count.
    """

    runner: Runner
    settings: Settings
    store: Store | None
    progress: Progress
    max_ram: int | None = None
    names: tuple[str, ...] = ("ram_bytes", "instructions")

    def judge(
        self, artifact: TrialExport, default: TrialExport
    ) -> tuple[list[float], dict[str, Any]]:
        session = measured(
            [artifact.folder], self.runner, self.settings, self.store, progress=self.progress
        )
        one = session.figures[0]
        if one.error is not None:
            raise one.error
        if not one.golden_match:
            raise ParityError("the firmware does not compute what its integer model does")
        figures = count_figures(one)
        if self.max_ram is not None and figures["ram_bytes"] > self.max_ram:
            raise MemoryLimitError(
                f"it takes {figures['ram_bytes']:,} bytes of RAM, and --max-ram is {self.max_ram:,}"
            )
        return [float(figures[name]) for name in self.names], figures


def count_figures(one: Figures) -> dict[str, Any]:
    assert one.memory is not None and one.value is not None
    memory = {f"{name}_bytes": size for name, size in asdict(one.memory).items()}
    return {
        "kind": one.kind,
        "instructions": int(one.value),
        **memory,
        "golden_match": one.golden_match,
    }


def objective_for(
    runner: Runner,
    rounds: int,
    store: Store | None,
    max_ram: int | None,
    progress: Progress,
) -> LatencyObjective | Counts:
    settings = Settings(rounds=rounds)
    if runner.interleaved:
        return LatencyObjective(runner, settings, store, progress)
    return Counts(runner, settings, store, progress, max_ram)


def reason(error: EdgevitError) -> str:
    """Return an error's message and reason as one line."""
    why = error.why.splitlines()[0] if error.why else ""
    return f"{error.message}: {why}" if why else error.message
