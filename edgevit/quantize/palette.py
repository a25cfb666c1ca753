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
        sums = np.concatenate([[0.0], np.cumsum(ordered)])
        numbers: NDArray[np.float64] = np.linspace(ordered[0], ordered[-1], 2**bits)
        for _ in range(_ROUNDS):
            edges = np.searchsorted(ordered, (numbers[1:] + numbers[:-1]) / 2)
            bounds = np.concatenate([[0], edges, [len(x)]])
            counts = np.diff(bounds)
            means = np.diff(sums[bounds]) / np.maximum(counts, 1)
            numbers = np.sort(np.where(counts > 0, means, numbers))
        return cls(
            np.float16(numbers).astype(np.float64) if half else np.float64(np.float32(numbers))
        )

    def indices(self, x: NDArray[np.float64]) -> NDArray[Any]:
        middles = (self.numbers[1:] + self.numbers[:-1]) / 2
        return np.searchsorted(middles, x).astype(np.uint8)

    def nearest(self, x: NDArray[np.float64]) -> NDArray[Any]:
        return self.numbers[self.indices(x)]
