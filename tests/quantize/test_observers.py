"""Ranges that suit numbers which were not among those seen."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.quantize.encoding import Grid, asymmetric, symmetric
from edgevit.quantize.observers import LeastSquares, MinMax, Observer


def seen(observer: Observer, *inputs: np.ndarray) -> Observer:
    for x in inputs:
        observer.observe(x)
    return observer


def lost(grid: Grid, x: np.ndarray) -> float:
    return float(((grid.scale * (grid.quantized(x).astype(float) - grid.zero) - x) ** 2).mean())


@pytest.mark.parametrize("draw", ["normal", "laplace", "exponential"])
def test_less_is_lost_of_what_comes_after(draw: str) -> None:
    rng = np.random.default_rng(0)
    others = getattr(rng, draw)(size=1_000_000)
    losses = []
    for _ in range(30):
        inputs = getattr(rng, draw)(size=(4, 500))
        losses.append(
            [
                lost(asymmetric(*seen(of(), *inputs).range()), others)
                for of in (LeastSquares, MinMax)
            ]
        )
    ours, whole = np.mean(losses, axis=0)
    assert ours < 0.8 * whole


def test_what_ends_sharply_has_no_tail() -> None:
    inputs = np.random.default_rng(0).normal(3, 3, size=(8, 4000)).clip(0, 6)
    low, high = seen(LeastSquares(), *inputs).range()
    assert low == 0 and high == pytest.approx(6, rel=0.025)


def test_a_balanced_range() -> None:
    inputs = np.random.default_rng(0).normal(1, 1, size=(8, 4000))
    low, high = seen(LeastSquares(), *inputs).range(balanced=True)
    assert low == -high and lost(symmetric(low, high), inputs) < 2e-4


def test_nothing_but_zero() -> None:
    assert seen(LeastSquares(), np.zeros(5)).range() == (0, 0)


def test_a_range_that_was_asked_for_follows_what_is_seen_later() -> None:
    inputs = np.random.default_rng(0).normal(size=(8, 400)) * np.arange(1, 9)[:, None]
    early = seen(LeastSquares(), *inputs[:4])
    first = early.range()
    assert seen(early, *inputs[4:]).range() == seen(LeastSquares(), *inputs).range() != first
    assert early.range(balanced=True) == seen(LeastSquares(), *inputs).range(balanced=True)
