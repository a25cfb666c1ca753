"""Which range of a value is worth a grid: what calibration has seen of it, without what is better clipped.

A method that judges by other means is a class with these two methods and a line in `OBSERVERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

_BINS = 2048
_PERCENTILE = 99.99
_FRACTIONS = np.linspace(1.0, 0.3, 36)  # of an end of the range: how far it may be clipped


class Observer(Protocol):
    """Of one value of the program."""

    def see(self, x: np.ndarray) -> None:
        """What the value is on one more input."""
        ...

    def range(self, balanced: bool = False) -> tuple[float, float]:
        """`balanced`: the grid will be symmetric."""
        ...


class MinMax:
    """All that was seen."""

    def __init__(self) -> None:
        self.low, self.high = np.inf, -np.inf

    def see(self, x: np.ndarray) -> None:
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))

    def range(self, balanced: bool = False) -> tuple[float, float]:
        return self.low, self.high


class _Counted(MinMax):
    """A histogram over [-reach, reach]; the reach doubles, and bins are merged, when a value lies outside."""

    def __init__(self) -> None:
        super().__init__()
        self._reach = 0.0
        self._counts = np.zeros(_BINS)

    def see(self, x: np.ndarray) -> None:
        super().see(x)
        peak = max(-self.low, self.high)
        if peak == 0:
            return
        if self._reach == 0:
            self._reach = 2.0 ** np.ceil(np.log2(peak))
        while self._reach < peak:
            self._double()
        places = ((x.ravel().astype(np.float64) / self._reach + 1) * (_BINS / 2)).astype(np.int64)
        self._counts += np.bincount(np.minimum(places, _BINS - 1), minlength=_BINS)

    def _double(self) -> None:
        self._reach *= 2
        merged = self._counts.reshape(-1, 2).sum(1)
        self._counts = np.pad(merged, _BINS // 4)

    @property
    def centres(self) -> np.ndarray:
        return ((np.arange(_BINS) + 0.5) / _BINS * 2 - 1) * self._reach


class Percentile(_Counted):
    """Without the most extreme ten thousandth."""

    def range(self, balanced: bool = False) -> tuple[float, float]:
        if not self._counts.any():
            return self.low, self.high
        share = np.cumsum(self._counts) / self._counts.sum()
        beyond = 1 - _PERCENTILE / 100
        low = self.centres[np.searchsorted(share, beyond)]
        high = self.centres[np.searchsorted(share, 1 - beyond)]
        return max(self.low, float(low)), min(self.high, float(high))


class LeastSquares(_Counted):
    """The ends that leave the least squared error, of rounding and of clipping together."""

    def range(self, balanced: bool = False) -> tuple[float, float]:
        if not self._counts.any():
            return self.low, self.high
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if balanced:
            low, high = -max(-low, high), max(-low, high)
        lows, highs = low * _FRACTIONS, high * _FRACTIONS
        x = self.centres
        below = (self._counts * np.maximum(lows[:, None] - x, 0) ** 2).sum(1)
        above = (self._counts * np.maximum(x - highs[:, None], 0) ** 2).sum(1)
        if balanced:
            best = np.argmin(below + above + self._rounding(highs - lows))
            return float(lows[best]), float(highs[best])
        lost = below[:, None] + above + self._rounding(highs - lows[:, None])
        row, column = np.unravel_index(np.argmin(lost), lost.shape)
        return float(lows[row]), float(highs[column])

    def _rounding(self, width: np.ndarray) -> np.ndarray:
        """A step has a twelfth of its square as error; bins are too coarse to round their centres."""
        return self._counts.sum() * (width / 255) ** 2 / 12


OBSERVERS: dict[str, Callable[[], Observer]] = {
    "min-max": MinMax,
    "percentile": Percentile,
    "mse": LeastSquares,
}
