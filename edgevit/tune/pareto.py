"""Pareto front of trials with several values."""

from __future__ import annotations

from collections.abc import Sequence

from edgevit.tune.study import FinishedTrial


def pareto(tried: Sequence[FinishedTrial]) -> list[FinishedTrial]:
    """Return the Pareto front, sorted by the first value. Of equal trials the first one counts."""
    finished = sorted((t for t in tried if t.values), key=lambda t: (t.values, t.number))
    best: list[FinishedTrial] = []
    for trial in finished:
        if not any(_beats(other.values, trial.values) for other in best):
            best.append(trial)
    return best


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))
