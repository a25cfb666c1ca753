"""Sliding window over an image of shape height x width x channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def adaptive_windows(extent: int, count: int) -> list[tuple[int, int]]:
    """Return the start and the end of each window of an adaptive pool along an axis."""
    return [(k * extent // count, -(-(k + 1) * extent // count)) for k in range(count)]


@dataclass(frozen=True)
class Window:
    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, left, bottom, right
    dilation: tuple[int, int] = (1, 1)

    @property
    def spans(self) -> tuple[int, int]:
        """Rows and columns from the first tap to the last, both counted."""
        (rows, columns), (along, across) = self.size, self.dilation
        return along * (rows - 1) + 1, across * (columns - 1) + 1

    def output(self, height: int, width: int) -> tuple[int, int]:
        top, left, bottom, right = self.padding
        high, wide = self.spans
        rows = (height + top + bottom - high) // self.stride[0] + 1
        return rows, (width + left + right - wide) // self.stride[1] + 1

    def padded(self, image: np.ndarray, value: int) -> np.ndarray:
        top, left, bottom, right = self.padding
        sides = ((top, bottom), (left, right), (0, 0))
        return np.pad(image, sides, constant_values=value)

    def views(self, image: np.ndarray) -> np.ndarray:
        """Return the windows of a padded image.

        Axes: output rows, output columns, window rows, window columns, channels.
        """
        block = (*self.spans, image.shape[2])
        seen = np.lib.stride_tricks.sliding_window_view(image, block)[:, :, 0]
        step, along = self.stride
        return seen[::step, ::along, :: self.dilation[0], :: self.dilation[1]]

    def __str__(self) -> str:
        words = ["x".join(map(str, self.size))]
        if self.stride != (1, 1):
            words.append(f"stride {self.stride[0]}x{self.stride[1]}")
        if any(self.padding):
            words.append("padding " + ",".join(map(str, self.padding)))
        if self.dilation != (1, 1):
            words.append(f"dilation {self.dilation[0]}x{self.dilation[1]}")
        return " ".join(words)
