"""Tables of few numbers that stand for many: one-dimensional k-means on the sorted numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 40


@dataclass(frozen=True)
class Palette:
    numbers: NDArray[np.float64]  # 2 ** bits of them, ascending

    @classmethod
    def fitted(cls, x: NDArray[np.float64], bits: int, half: bool = False) -> Palette:
        """Choose the table that is nearest to the numbers in the mean square."""
        ordered = np.sort(x)
        sums = np.concatenate([np.zeros(1), np.cumsum(ordered)])
        numbers = np.linspace(float(ordered[0]), float(ordered[-1]), 2**bits)
        for _ in range(_ROUNDS):
            numbers = _means(ordered, sums, numbers)
        dtype = np.float16 if half else np.float32
        return cls(numbers.astype(dtype).astype(np.float64))

    def indices(self, x: NDArray[np.float64]) -> NDArray[Any]:
        middles = (self.numbers[1:] + self.numbers[:-1]) / 2
        return np.searchsorted(middles, x).astype(np.uint8)

    def nearest(self, x: NDArray[np.float64]) -> NDArray[Any]:
        return self.numbers[self.indices(x)]


def _means(
    ordered: NDArray[np.float64], sums: NDArray[np.float64], numbers: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean of the numbers that are nearest to each entry; an entry of none stays."""
    edges = np.searchsorted(ordered, (numbers[1:] + numbers[:-1]) / 2)
    bounds: NDArray[np.int64] = np.concatenate(
        [np.zeros(1, np.int64), edges, np.full(1, len(ordered))]
    )
    counts = np.diff(bounds)
    means = np.diff(sums[bounds]) / np.maximum(counts, 1)
    return np.sort(np.where(counts > 0, means, numbers))
