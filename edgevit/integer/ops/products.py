"""Sums of products: weights are int8 with a scale a channel, accumulators are 32 bits and cannot overflow.

    y[n] = requantize(bias[n] + sum_k x[k] * weight[n][k], multiplier[n])

y has 8 bits, or 16 where it is added to a residual stream of 16, or to the product of another half; a depthwise convolution of the stream reads 16. The zero points of input and output are in the bias. What lies outside an image is `pad_value`, the input's zero point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgevit.graph.window import Window
from edgevit.integer.graph import Op, require, require_within
from edgevit.integer.rounding import requantize
from edgevit.integer.window_fields import require_fits
from edgevit.quantize import LIMITS


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply byte matrices exactly.

    Float64 represents every sum of their products, and its matrix product is the fast one.
    """
    return np.rint(a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)


def _check_channels(op: Linear | Conv2d | Depthwise, count: int) -> None:
    require(op.bias.shape == op.multiplier.shape == (count,), "one bias and multiplier a channel")
    require_within(count, "output channels")
    require(op.weight.dtype == np.int8, "weights of 8 bits")
    require(op.bias.dtype == op.multiplier.dtype == np.int32, "bias and multiplier of 32 bits")
    require(bool(np.all(op.multiplier > 0)), "multipliers are positive")
    read = op.output.dtype if isinstance(op, Depthwise) else "int8"
    require(op.source.dtype == read, "8 bits in; of a depthwise convolution as many as out")
    taps = op.weight.reshape(-1, count).T if isinstance(op, Depthwise) else op.weight
    reach = -LIMITS[read][0] * np.abs(taps.reshape(count, -1).astype(np.int64)).sum(1)
    require(
        bool(np.all(reach + np.abs(op.bias.astype(np.int64)) < 2**31)), "the accumulator overflows"
    )


@dataclass(frozen=True, eq=False)
class Linear(Op):
    """Linear layer over the last axis; a 1x1 convolution is one."""

    kind: ClassVar[str] = "linear"
    weight: np.ndarray  # N x K
    bias: np.ndarray
    multiplier: np.ndarray

    def check(self) -> None:
        count, width = self.weight.shape
        require(self.source.shape[-1] == width, "the width of the input")
        require_within(width, "values summed")
        require(self.output.shape == (*self.source.shape[:-1], count), "the shape of the output")
        _check_channels(self, count)

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        acc = _product(inputs[0], self.weight.T) + self.bias
        return requantize(acc, self.multiplier, self.output.dtype)

    def constants(self) -> dict[str, np.ndarray]:
        return {"weight": self.weight, "bias": self.bias, "multiplier": self.multiplier}

    def macs(self) -> int:
        return self.source.rows * self.weight.size


@dataclass(frozen=True, eq=False)
class Conv2d(Op):
    kind: ClassVar[str] = "conv2d"
    weight: np.ndarray  # N x rows x columns x C / groups
    bias: np.ndarray
    multiplier: np.ndarray
    window: Window
    groups: int
    pad_value: int

    def check(self) -> None:
        count, high, wide, depth = self.weight.shape
        height, width, channels = self.source.shape
        require((high, wide) == self.window.size, "the weight's window")
        require(channels == depth * self.groups and count % self.groups == 0, "groups")
        require(self.output.shape == (*self.window.output(height, width), count), "the output")
        require(-128 <= self.pad_value <= 127, "the pad value")
        require_fits(self.window, self.source.shape, self.output.shape)
        _check_channels(self, count)

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        seen = self.window.views(self.window.padded(inputs[0], self.pad_value))
        rows, columns = seen.shape[:2]
        groups = np.split(seen, self.groups, axis=-1)
        weights = np.split(self.weight, self.groups)
        acc = [
            _product(part.reshape(rows * columns, -1), weight.reshape(len(weight), -1).T)
            for part, weight in zip(groups, weights, strict=True)
        ]
        out = requantize(
            np.concatenate(acc, axis=1) + self.bias, self.multiplier, self.output.dtype
        )
        return out.reshape(rows, columns, -1)

    def constants(self) -> dict[str, np.ndarray]:
        return {"weight": self.weight, "bias": self.bias, "multiplier": self.multiplier}

    def macs(self) -> int:
        return self.output.rows * self.weight.size

    def settings(self) -> str:
        return str(self.window) + (f" groups {self.groups}" if self.groups > 1 else "")


@dataclass(frozen=True, eq=False)
class Depthwise(Op):
    """A convolution of every channel with its own window."""

    kind: ClassVar[str] = "depthwise"
    weight: np.ndarray  # rows x columns x C
    bias: np.ndarray
    multiplier: np.ndarray
    window: Window
    pad_value: int

    def check(self) -> None:
        high, wide, count = self.weight.shape
        height, width, channels = self.source.shape
        require((high, wide) == self.window.size and channels == count, "the weight's window")
        require(self.output.shape == (*self.window.output(height, width), count), "the output")
        require(-128 <= self.pad_value <= 127, "the pad value")
        require_fits(self.window, self.source.shape, self.output.shape)
        _check_channels(self, count)

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        seen = self.window.views(self.window.padded(inputs[0].astype(np.int64), self.pad_value))
        acc = np.einsum("ijklc,klc->ijc", seen, self.weight.astype(np.int64))
        return requantize(acc + self.bias, self.multiplier, self.output.dtype)

    def constants(self) -> dict[str, np.ndarray]:
        return {"weight": self.weight, "bias": self.bias, "multiplier": self.multiplier}

    def macs(self) -> int:
        return self.output.rows * self.weight.size

    def settings(self) -> str:
        return str(self.window)


@dataclass(frozen=True, eq=False)
class MatMul(Op):
    """Product of two stacks of matrices.

    The right one has no zero point.

    y = requantize(bias + sum_k (a[i][k] - zero) * b[j][k], multiplier)     or b[k][j], where `turned` is false
    """

    kind: ClassVar[str] = "matmul"
    multiplier: int
    bias: int
    zero: int
    turned: bool  # the right side is stack x N x K: its rows are what is multiplied

    def _sizes(self) -> tuple[int, int, int]:
        """Return rows, depth, columns."""
        left, right = self.inputs[0].shape, self.inputs[1].shape
        return left[1], left[2], right[1] if self.turned else right[2]

    def check(self) -> None:
        left, right = self.inputs
        require(len(left.shape) == len(right.shape) == 3, "stacks of matrices")
        rows, depth, columns = self._sizes()
        inner = right.shape[2] if self.turned else right.shape[1]
        require(left.shape[0] == right.shape[0] and inner == depth, "sizes that meet")
        require(self.output.shape == (left.shape[0], rows, columns), "the shape of the output")
        require(left.dtype == right.dtype == self.output.dtype == "int8", "8 bits in and out")
        require(-128 <= self.zero <= 127 and 0 < self.multiplier < 2**31, "zero and multiplier")
        require_within(columns, "columns of the product")
        require_within(depth, "values summed")
        require(depth * 255 * 128 + abs(self.bias) < 2**31, "the accumulator overflows")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        left, right = (x.astype(np.int64) for x in inputs)
        right = right.transpose(0, 2, 1) if self.turned else right
        return requantize(_product(left - self.zero, right) + self.bias, self.multiplier)

    def macs(self) -> int:
        return self.output.size * self._sizes()[1]

    def settings(self) -> str:
        return "turned" if self.turned else ""
