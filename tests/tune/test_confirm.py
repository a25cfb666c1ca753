"""A win must exceed the spread, and be there when it is measured again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgevit.measure.device import this_device
from edgevit.measure.figures import Figures, MeasuredSession, Settings
from edgevit.measure.runner import open_runner
from edgevit.measure.timing import Latency, Subject
from edgevit.tune.confirm import confirm, finalists
from edgevit.tune.objective import LatencyObjective as Latency_
from edgevit.tune.objective import TrialExport
from edgevit.tune.pareto import pareto
from edgevit.tune.study import FinishedTrial

DEFAULT = TrialExport(Path("default"))


def tried(number: int, *values: float, sha: str = "", threads: str = "all") -> FinishedTrial:
    result = {"artifact": {"sha256": sha or str(number)}, "figures": {"ms": 10.0}}
    return FinishedTrial(number, f"k{number}", {"format": "a", "threads": threads}, values, result)


class Timed:
    """Rounds of each artifact as they are told, session after session."""

    def __init__(self, *sessions: Sequence[Sequence[float]]) -> None:
        self.sessions = list(sessions)

    def compare(self, artifacts: Sequence[TrialExport], rounds: int = 0, fresh: bool = False) -> MeasuredSession:  # fmt: skip
        assert fresh
        told = self.sessions.pop(0)
        assert len(told) == len(artifacts)
        figures = [self._figures(rounds, told[0]) for rounds in told]
        return MeasuredSession(tuple(figures), this_device(), Settings(), "now")

    def _figures(self, rounds: Sequence[float], first: Sequence[float]) -> Figures:
        ratios = Latency.of([a / b for a, b in zip(rounds, first, strict=True)])
        subject = Subject("x", "a", Path("x"), None, {})
        spread = ratios.low, ratios.high
        return Figures(subject, "measured", "seconds", tuple(rounds), ratios.median, spread)


class Looked(Latency_):
    """Tells how many rounds it was asked for; every candidate takes `times` the default's time."""

    def compare(self, artifacts: Sequence[TrialExport], rounds: int = 0, fresh: bool = False) -> MeasuredSession:  # fmt: skip
        asked.append(rounds)
        times = 9.0 if artifacts[-1].threads == 9 else 1.1
        return Timed([[1.0] * 3, [times] * 3]).compare(artifacts, fresh=True)


asked: list[int] = []


def test_what_is_hopeless_gets_a_first_look_only() -> None:
    asked.clear()
    objective = Looked(open_runner("local"), Settings(), None, print)
    values, figures = objective.judge(TrialExport(Path("one"), 9), DEFAULT)
    assert values == [9.0] and figures["rounds"] == 3 and asked == [3]
    objective.judge(TrialExport(Path("one")), DEFAULT)
    assert asked == [3, 3, 0]


def verdict(*sessions: Sequence[Sequence[float]]) -> Any:
    others = [(tried(1, 0.9), TrialExport(Path("one"))), (tried(2, 0.8), TrialExport(Path("two")))]
    count = len(sessions[0]) - 2
    return confirm(Timed(*sessions), (tried(0, 1.0), DEFAULT), others[:count], 4, 3)  # type: ignore[arg-type]


STEADY = [10.0, 10.1, 10.0, 9.9]
FASTER = [8.0, 8.1, 8.0, 7.9]


def test_the_faster_wins_when_it_is_faster_again() -> None:
    found = verdict([STEADY, STEADY, STEADY, FASTER], [STEADY, FASTER])
    assert found.winner.number == 2
    assert found.figures["ratio"] == pytest.approx(0.8)
    assert "x0.800 of the default's time" in found.text


def test_a_gain_within_the_spread_is_none() -> None:
    noisy = [8.0, 12.0, 9.0, 11.0]
    found = verdict([noisy, noisy, [r * 0.9 for r in noisy]])
    assert found.winner.number == 0 and "the default is best" in found.text
    assert found.figures["next_best"]["ratio"] == pytest.approx(0.9)


def test_a_default_that_is_off_itself_is_noise() -> None:
    found = verdict([STEADY, [r * 0.75 for r in STEADY], FASTER])
    assert found.winner.number == 0


def test_what_is_not_faster_again_loses() -> None:
    found = verdict([STEADY, STEADY, FASTER], [STEADY, STEADY])
    assert found.winner.number == 0


def test_it_is_said_when_nothing_was_compared() -> None:
    default = tried(0, 1.0)
    alone = confirm(Timed(), (default, DEFAULT), [], 4, 1)  # type: ignore[arg-type]
    assert alone.text == "nothing but the default was measured within the budget: 10 ms"
    several = confirm(Timed(), (default, DEFAULT), [], 4, 5)  # type: ignore[arg-type]
    assert several.text == "the default is best of 5 that were measured: 10 ms"


def test_finalists_are_faster_and_other_artifacts() -> None:
    default = tried(0, 1.0, sha="same")
    trials = [
        default,
        tried(1, 0.9, sha="x"),
        tried(2, 0.95, sha="x"),  # the same artifact, measured twice
        tried(3, 0.7, sha="same"),  # luck: it is the default's
        tried(4, 0.8, sha="x", threads="1"),
        tried(5),  # refused
        tried(6, 1.1),
    ]
    assert [t.number for t in finalists(trials, default)] == [4, 1]


def test_a_front_is_what_nothing_beats() -> None:
    trials = [
        tried(0, 5, 5),
        tried(1, 4, 6),
        tried(2, 5, 5),
        tried(3, 6, 5),
        tried(4, 3, 9),
        tried(5),
    ]
    assert [t.number for t in pareto(trials)] == [4, 1, 0]
