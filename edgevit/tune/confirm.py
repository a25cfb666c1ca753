"""Confirmation of a search's best trials: of many measured, some look fast by chance.

They are measured again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgevit.measure import MeasuredSession
from edgevit.tune.objective import LatencyObjective, TrialExport, pair_figures
from edgevit.tune.study import FinishedTrial

FINALISTS = 3


@dataclass(frozen=True)
class Confirmation:
    winner: FinishedTrial  # the default's own trial if that is best
    figures: dict[str, Any]
    text: str


def finalists(tried: Sequence[FinishedTrial], default: FinishedTrial) -> list[FinishedTrial]:
    """Return the fastest trial per artifact and number of threads, if faster than the default."""
    best: dict[tuple[str, str], FinishedTrial] = {}
    for trial in sorted((t for t in tried if t.values), key=lambda t: t.values[0]):
        if trial.values[0] < 1 and trial.key != default.key:
            best.setdefault(_same(trial), trial)
    best.pop(_same(default), None)
    return list(best.values())[:FINALISTS]


def _same(trial: FinishedTrial) -> tuple[str, str]:
    return trial.result["artifact"]["sha256"], trial.point.get("threads", "all")


def confirm(
    objective: LatencyObjective,
    default: tuple[FinishedTrial, TrialExport],
    others: Sequence[tuple[FinishedTrial, TrialExport]],
    rounds: int,
    measured: int,
) -> Confirmation:
    """Measure the finalists again and return the verdict.

    First all are compared to the default, and the default to itself. Then the best one is compared
    to the default once more. `measured`: number of measured trials.
    """
    trial, artifact = default
    if not others:
        figures = trial.result["figures"]
        best = f"the default is best of {measured} that were measured"
        text = best if measured > 1 else "nothing but the default was measured within the budget"
        return Confirmation(trial, figures, f"{text}: {figures['ms']:.3g} ms")
    session = objective.compare([artifact, artifact, *(a for _, a in others)], rounds, fresh=True)
    own = pair_figures(session, 1)
    again = [pair_figures(session, 2 + k) for k in range(len(others))]
    winner = min(range(len(others)), key=lambda k: again[k]["ratio"])
    floor = abs(1 - own["ratio"]) + (own["ratio_high"] - own["ratio_low"]) / 2
    if not _wins(again[winner], floor):
        return Confirmation(trial, _of_default(again[winner], floor), _lost(again[winner], floor))
    last: MeasuredSession = objective.compare([artifact, others[winner][1]], rounds, fresh=True)
    figures = {**pair_figures(last), "noise": floor}
    if not _wins(figures, floor):
        return Confirmation(trial, _of_default(figures, floor), _lost(figures, floor))
    text = (
        f"x{figures['ratio']:.3f} of the default's time, interleaved: {figures['ms']:.3g} against "
        f"{figures['default_ms']:.3g} ms, spread {spread(figures, floor):.1%}"
    )
    return Confirmation(others[winner][0], figures, text)


def spread(figures: dict[str, Any], floor: float) -> float:
    """Return the largest of: half the IQR of the ratios and of either's times, and the A/A floor.

    `floor`: the default's difference to itself.
    """
    ratios = (figures["ratio_high"] - figures["ratio_low"]) / 2
    return max(ratios, figures["default_spread"], figures["spread"], floor)


def _wins(figures: dict[str, Any], floor: float) -> bool:
    return 1 - figures["ratio"] > spread(figures, floor)


def _of_default(next_best: dict[str, Any], floor: float) -> dict[str, Any]:
    """Return the default's figures, and the runner-up's as `next_best`."""
    own = {"kind": next_best["kind"], "ms": next_best["default_ms"], "noise": floor}
    return {**own, "spread": next_best["default_spread"], "next_best": next_best}


def _lost(figures: dict[str, Any], floor: float) -> str:
    return (
        f"the default is best: the next took x{figures['ratio']:.3f} of its time, and the spread is "
        f"{spread(figures, floor):.1%}"
    )
