"""Which range of a value is worth a grid: what calibration has seen of it, without what is better clipped.

A method that judges by other means is a class with these two methods and a line in `OBSERVERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

_BINS = 2048
_ORDERED_ROOM = 1 / 8  # of a range
_PERCENTILE = 99.99
_FRACTIONS = np.linspace(0.3, 1.6, 66)  # of an end of what was seen: where the range may end
_FAR_FRACTIONS = np.geomspace(1 / 128, 1.6, 66)  # where little may be worth more than much
# How many of the largest numbers are taken for the tail: this share of all, and no fewer than this. On pictures other
# than those calibrated on, seven nets had 1 to 3 dB less noise than with none; a third or thrice as many are as good.
_TAIL_SHARE = 5e-3
_TAIL_LEAST = 50


class RangeSource(Protocol):
    """Range of one value of the program."""

    def range(self, balanced: bool = False) -> tuple[float, float]:
        """`balanced`: the grid will be symmetric."""
        ...


class Observer(RangeSource, Protocol):
    """Of one value of the program."""

    def observe(self, x: np.ndarray, weight: np.ndarray | None = None) -> None:
        """Observe the value on one more input; `weight` is the cost of a squared error, element by element."""
        ...


class MinMax:
    """All that was seen."""

    def __init__(self) -> None:
        self.low, self.high = np.inf, -np.inf

    def observe(self, x: np.ndarray, weight: np.ndarray | None = None) -> None:
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))

    def range(self, balanced: bool = False) -> tuple[float, float]:
        return self.low, self.high


class Ordered(MinMax):
    """More than was seen, of values that are put in order: those beyond a range are equal."""

    def range(self, balanced: bool = False) -> tuple[float, float]:
        room = _ORDERED_ROOM * (self.high - self.low)
        low = self.low - room if self.low < 0 else max(self.low - room, 0.0)
        return low, self.high + room


class Histogram(MinMax):
    """Counts over [-reach, reach]; the reach doubles, and bins are merged, when a value lies outside."""

    def __init__(self) -> None:
        super().__init__()
        self.reach = 0.0
        self.counts = np.zeros(_BINS)
        self.zeros = 0
        self.is_weighted = False
        self.inputs = 0  # that were observed

    def observe(self, x: np.ndarray, weight: np.ndarray | None = None) -> None:
        super().observe(x)
        self.inputs += 1
        self.zeros += int((x == 0).sum())
        peak = max(-self.low, self.high)
        if peak == 0:
            return
        if self.reach == 0:
            self.reach = float(2.0 ** np.ceil(np.log2(peak)))
        while self.reach < peak:
            self._double()
        # exact in float32: the factor is a power of two
        places = (np.floor(x.ravel() * (_BINS / 2 / self.reach)) + _BINS / 2).astype(np.int64)
        if weight is not None:
            self.is_weighted = True
            weight = (weight / weight.mean()).ravel()
        self.counts += np.bincount(np.minimum(places, _BINS - 1), weight, minlength=_BINS)

    def _double(self) -> None:
        self.reach *= 2
        merged = self.counts.reshape(-1, 2).sum(1)
        self.counts = np.pad(merged, _BINS // 4)

    @property
    def centres(self) -> np.ndarray:
        return ((np.arange(_BINS) + 0.5) / _BINS * 2 - 1) * self.reach


class Counted:
    """A choice of a range from a histogram, which several choices may share."""

    def __init__(self, seen: Histogram | None = None) -> None:
        self.seen = seen or Histogram()

    def observe(self, x: np.ndarray, weight: np.ndarray | None = None) -> None:
        self.seen.observe(x, weight)


class Percentile(Counted):
    """Without the most extreme ten thousandth."""

    def range(self, balanced: bool = False) -> tuple[float, float]:
        seen = self.seen
        if not seen.counts.any():
            return seen.low, seen.high
        share = np.cumsum(seen.counts) / seen.counts.sum()
        beyond = 1 - _PERCENTILE / 100
        low = seen.centres[np.searchsorted(share, beyond)]
        high = seen.centres[np.searchsorted(share, 1 - beyond)]
        return max(seen.low, float(low)), min(seen.high, float(high))


class LeastSquares(Counted):
    """The ends that leave the least squared error, of rounding and of clipping together.

    A few inputs have not shown the largest number there is: behind the few largest that were seen, numbers are taken to
    fall off as an exponential does, with the mean that those few have.
    """

    def __init__(self, seen: Histogram | None = None) -> None:
        super().__init__(seen)
        self._answers: dict[tuple[bool, int], tuple[float, float]] = {}  # several choices ask

    def range(self, balanced: bool = False) -> tuple[float, float]:
        question = balanced, self.seen.inputs
        if question not in self._answers:
            self._answers[question] = self._range(balanced)
        return self._answers[question]

    def _range(self, balanced: bool) -> tuple[float, float]:
        seen = self.seen
        if not seen.counts.any():
            return seen.low, seen.high
        low, high = min(seen.low, 0.0), max(seen.high, 0.0)
        if balanced:
            low, high = -max(-low, high), max(-low, high)
        fractions = _FAR_FRACTIONS if seen.is_weighted else _FRACTIONS
        lows, highs = low * fractions, high * fractions
        below = _clipped(-seen.centres[::-1], seen.counts[::-1], -lows)
        above = _clipped(seen.centres, seen.counts, highs)
        if balanced:
            best = np.argmin(below + above + self._rounding(highs - lows))
            return float(lows[best]), float(highs[best])
        lost = below[:, None] + above + self._rounding(highs - lows[:, None])
        row, column = np.unravel_index(np.argmin(lost), lost.shape)
        return float(lows[row]), float(highs[column])

    def _rounding(self, width: np.ndarray) -> np.ndarray:
        """Return the rounding error, a twelfth of the squared step: bins are too coarse to round their centres."""
        return (self.seen.counts.sum() - self.seen.zeros) * (width / 255) ** 2 / 12


def _clipped(x: np.ndarray, counts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the squared error of the values above each of `ends`; `x` rises."""
    beyond = np.cumsum(counts[::-1])[::-1]
    tail = max(_TAIL_LEAST, _TAIL_SHARE * counts.sum())
    first = max(int((beyond >= tail).sum()) - 1, 0)
    start = x[first] - 0.5 * (x[1] - x[0])
    mean = float((counts[first:] * (x[first:] - start)).sum() / max(beyond[first], 1))
    seen = (counts[:first] * np.maximum(x[:first] - ends[:, None], 0) ** 2).sum(1)
    # the mean of (start + t - end)^2 where t is exponential: from the start on, and what is left of it behind the end
    short = np.maximum(start - ends, 0)
    beyond_end = np.exp(-np.maximum(ends - start, 0) / max(mean, 1e-30))
    return seen + beyond[first] * (short**2 + 2 * short * mean + 2 * mean**2) * beyond_end


WEIGHTED = "weighted mse"
RANGES = ("min-max", "mse", "percentile", WEIGHTED)  # the first is the one to beat
OBSERVERS: dict[str, Callable[[], Observer]] = {
    "min-max": MinMax,
    "percentile": Percentile,
    "mse": LeastSquares,
    WEIGHTED: LeastSquares,  # each squared error weighs as much as the gradient there, squared
}
