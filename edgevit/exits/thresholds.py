"""Thresholds of early exits: the cheapest whose accuracy on labelled data is near that of the last exit.

A sample leaves at the first exit whose largest softmax reaches its threshold; the last one takes the rest. What is lost
is counted with care, for other data than this: samples that the last exit has right and an earlier one wrong, and one
more; what an earlier exit alone has right makes up for none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

NEVER = 2.0  # no softmax reaches it
_STEPS = 48  # thresholds to try for each exit
_ROUNDS = 4  # of one exit after another, where there are too many for all combinations
_SPARE = 0.02  # of the last exit's cost, for thresholds that other data needs
_MOST = 20_000  # combinations


@dataclass(frozen=True)
class Thresholds:
    """Thresholds, one for each exit but the last, and what they do on the data."""

    values: tuple[float, ...]
    shares: tuple[float, ...]  # of the samples that leave at each exit
    top1: float  # percent
    last_top1: float  # of the last exit alone
    cost: float  # mean, as a share of that of the last exit

    def leaves(self, sure: np.ndarray) -> np.ndarray:
        """Return the exit of each sample, by the confidences of all exits but the last."""
        return _leaves(self.values, sure)


def _leaves(values: Sequence[float], sure: np.ndarray) -> np.ndarray:
    leaves = np.full(sure.shape[1], len(values))
    for number in reversed(range(len(values))):
        leaves[sure[number] >= values[number]] = number
    return leaves


def confidences(logits: np.ndarray) -> np.ndarray:
    """Return the largest softmax of each row."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted.max(1) / shifted.sum(1)


def choose_thresholds(
    logits: Sequence[np.ndarray],
    labels: np.ndarray,
    costs: Sequence[float],
    max_drop: float,
    sure: np.ndarray | None = None,
) -> Thresholds:
    """Choose the thresholds. `costs`: of each part; `max_drop`: points of top-1.

    `sure`: confidences of all exits but the last, exit x sample. None: the largest softmax.
    """
    if sure is None:
        sure = np.stack([confidences(one) for one in logits[:-1]])
    right = np.stack([one.argmax(1) == labels for one in logits])
    grid = [_candidates(one) for one in sure]
    total, rows = np.cumsum(costs), np.arange(len(labels))

    def near(values: Sequence[float]) -> bool:
        leaves = _leaves(values, sure)
        lost = int((right[-1] & ~right[leaves, rows]).sum()) + 1
        return bool((leaves == len(values)).all()) or 100 * lost / len(labels) <= max_drop

    def cost(values: Sequence[float]) -> float:
        return float(total[_leaves(values, sure)].mean() / total[-1])

    best: tuple[float, ...] = (NEVER,) * len(sure)
    if _STEPS ** len(sure) <= _MOST:
        best = min((best, *filter(near, product(*grid))), key=cost)
    else:
        for number in [*range(len(grid))] * _ROUNDS:
            changed = [(*best[:number], value, *best[number + 1 :]) for value in grid[number]]
            best = min((best, *filter(near, changed)), key=cost)
    for number, candidates in enumerate(grid):  # of those that cost about the same, the surest
        limit = cost(best) + _SPARE / len(grid)
        surer = [
            (*best[:number], value, *best[number + 1 :])
            for value in candidates
            if value > best[number]
        ]
        best = (best, *(values for values in surer if near(values) and cost(values) <= limit))[-1]
    leaves = _leaves(best, sure)
    return Thresholds(
        best,
        tuple(float((leaves == number).mean()) for number in range(len(logits))),
        100 * float(right[leaves, rows].mean()),
        100 * float(right[-1].mean()),
        cost(best),
    )


def _candidates(sure: np.ndarray) -> list[float]:
    """Return confidences that part the samples evenly, and one that none reaches."""
    parted = np.quantile(sure, np.linspace(0, 1, _STEPS - 1))
    return [*sorted({float(value) for value in parted}), NEVER]
