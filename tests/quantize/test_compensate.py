"""Rounded weights whose sums are nearer than those of the nearest integers."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.quantize.input_covariance import Moments
from edgevit.quantize.weight_rounding import compensated


def moments(x: np.ndarray) -> Moments:
    """Of groups x samples x taps."""
    mean = x.mean(1)
    apart = x - mean[:, None]
    return Moments(mean, apart.transpose(0, 2, 1) @ apart / x.shape[1], x.shape[1])


def wrong(x: np.ndarray, rows: np.ndarray, found: np.ndarray, scale: np.ndarray) -> float:
    """The variance of what the sums are wrong by."""
    left = (rows - found * scale[:, None]).reshape(len(x), -1, x.shape[2])
    return float((x @ left.transpose(0, 2, 1)).var(1).sum())


@pytest.mark.parametrize(("groups", "count", "width"), [(1, 20, 27), (6, 1, 9), (2, 8, 70)])
def test_sums_are_nearer(groups: int, count: int, width: int) -> None:
    rng = np.random.default_rng(width)
    mixed = rng.normal(size=(groups, width // 3, width))  # taps that go along with each other
    seen, others = (
        rng.normal(size=(groups, 4000, width // 3)) @ mixed
        + 0.1 * rng.normal(size=(groups, 4000, width))
        for _ in range(2)
    )
    rows = rng.normal(size=(groups * count, width))
    scale = np.abs(rows).max(1) / 127
    nearest = np.rint(rows / scale[:, None])
    found = compensated(rows, scale, moments(seen), 0.01)
    assert found.dtype == np.int8 and np.abs(found - nearest).max() < 20
    assert wrong(others, rows, found, scale) < 0.4 * wrong(others, rows, nearest, scale)


def test_taps_that_are_alone_are_rounded_to_the_nearest() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5, 12))
    scale = np.abs(rows).max(1) / 127
    known = Moments(np.zeros((1, 12)), np.eye(12)[None], 100)
    assert np.array_equal(compensated(rows, scale, known, 0.1), np.rint(rows / scale[:, None]))


def test_zeros_stay_zeros_and_others_make_up_for_their_share() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1, 4000, 8)) @ rng.normal(size=(1, 8, 24))
    rows = rng.normal(size=(6, 24)) * (np.arange(24) % 4 < 2)
    scale = np.abs(rows).max(1) / 127
    integers = compensated(rows, scale, moments(x), 0.01)
    assert np.all(integers[rows == 0] == 0)
    nearest = np.rint(rows / scale[:, None])
    assert wrong(x, rows, integers, scale) < 0.5 * wrong(x, rows, nearest, scale)


def test_an_input_that_never_varies() -> None:
    nothing = Moments(np.ones((2, 4)), np.zeros((2, 4, 4)), 50)
    rows = np.linspace(-1, 1, 8).reshape(2, 4)
    found = compensated(rows, np.full(2, 1 / 127), nothing, 0.1)
    assert np.array_equal(found, np.rint(rows * 127))
