"""Pools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgevit.graph.window import Window
from edgevit.integer.graph import Op, require
from edgevit.integer.rounding import requantize
from edgevit.integer.window_fields import require_fits


def _check_image(op: AveragePool | MaxPool) -> None:
    height, width, channels = op.source.shape
    require(op.output.shape == (*op.window.output(height, width), channels), "the output")
    require(op.source.dtype == op.output.dtype == "int8", "8 bits in and out")
    require_fits(op.window, op.source.shape, op.output.shape)


@dataclass(frozen=True, eq=False)
class AveragePool(Op):
    """y = requantize(bias + the sum over the window, multiplier); `pad_value` stands outside the image."""

    kind: ClassVar[str] = "average_pool"
    window: Window
    bias: int
    multiplier: int
    pad_value: int

    def check(self) -> None:
        _check_image(self)
        require(0 < self.multiplier < 2**31 and -128 <= self.pad_value <= 127, "parameters")
        taps = self.window.size[0] * self.window.size[1]
        require(128 * taps + abs(self.bias) < 2**31, "the accumulator overflows")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        seen = self.window.views(self.window.padded(inputs[0].astype(np.int64), self.pad_value))
        return requantize(np.sum(seen, axis=(2, 3)) + self.bias, self.multiplier)

    def settings(self) -> str:
        return str(self.window)


@dataclass(frozen=True, eq=False)
class MaxPool(Op):
    """Max pool. Scale and zero point stay; pixels outside the image are never the largest."""

    kind: ClassVar[str] = "max_pool"
    window: Window

    def check(self) -> None:
        _check_image(self)
        a, b = self.source, self.output
        require((a.scale, a.zero) == (b.scale, b.zero), "the same scale in and out")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        return np.max(self.window.views(self.window.padded(inputs[0], -128)), axis=(2, 3))

    def settings(self) -> str:
        return str(self.window)
