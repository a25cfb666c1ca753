"""Of trials with several values, those that no other one beats in all."""

from __future__ import annotations

from collections.abc import Sequence

from edgevit.tune.study import Tried


def pareto(tried: Sequence[Tried]) -> list[Tried]:
    """By the first value. Of equals the first that was tried."""
    finished = sorted((t for t in tried if t.values), key=lambda t: (t.values, t.number))
    found: list[Tried] = []
    for trial in finished:
        if not any(_beats(other.values, trial.values) for other in found):
            found.append(trial)
    return found


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))
