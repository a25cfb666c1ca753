"""Mean and covariance of the inputs of each linear and convolution layer.

A projection is a linear or a convolution. Its taps are in the order of the integer weights: rows, columns, channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from torch.fx.node import Node
from torch.nn.functional import pad, unfold

from edgevit.graph.aten import argument, kind, per_dimension
from edgevit.graph.window import Window

_ROWS_A_TAP = 16  # of samples, over all inputs; more add little
_LEAST_ROWS = 256  # for each input
_NEAR = 1e-3
_MOST_TAPS = 8192  # a covariance of more weighs gigabytes: such weights are rounded to the nearest


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of a layer's taps, for each group of channels."""

    mean: np.ndarray  # groups x taps
    covariance: np.ndarray  # groups x taps x taps
    count: int  # samples
    shared: bool = False  # by several layers, whose inputs have steps of their own

    def about(self) -> AboutMoments:
        return AboutMoments(self.mean, np.diagonal(self.covariance, axis1=1, axis2=2).copy())


class AboutMoments(NamedTuple):
    """What tells inputs of other numbers from the same ones, without their covariance."""

    mean: np.ndarray
    variance: np.ndarray

    def is_near(self, other: AboutMoments) -> bool:
        """Compare relative to the inputs' size: the same calls in another form round otherwise."""
        if self.mean.shape != other.mean.shape:
            return False
        size = float(np.abs(self.variance).max() + np.square(self.mean).max())
        means = np.abs(self.mean - other.mean).max() <= _NEAR * size**0.5
        return bool(means and np.abs(self.variance - other.variance).max() <= _NEAR * size)


class CovarianceAccumulator:
    """Running sums over the inputs observed so far."""

    def __init__(self, node: Node, inputs: int) -> None:
        self._node = node
        self._inputs = inputs
        self._count = 0
        self._sum = np.zeros(())
        self._products = np.zeros(())
        self._waiting: list[torch.Tensor] = []  # samples that are not in the products yet

    def update(self, x: torch.Tensor) -> None:
        taps = taps_of(self._node, x)
        if taps.shape[2] > _MOST_TAPS:
            return
        rows = max(_ROWS_A_TAP * taps.shape[2] // self._inputs, _LEAST_ROWS)
        if taps.shape[1] > rows:
            taps = taps[:, np.linspace(0, taps.shape[1] - 1, rows).astype(np.int64)]
        taps = taps.double() if taps.shape[2] < 64 else taps
        self._count += taps.shape[1]
        self._sum = self._sum + taps.double().sum(1).numpy()
        self._waiting.append(taps)
        if sum(x.shape[1] for x in self._waiting) >= taps.shape[2]:
            self._multiply()

    def _multiply(self) -> None:
        """Add what waits to the products: of few samples, the sum of the products is what costs."""
        taps = torch.cat(self._waiting, 1)
        self._waiting = []
        self._products = self._products + (taps.transpose(1, 2) @ taps).double().numpy()

    def moments(self) -> Moments | None:
        if not self._count:
            return None
        if self._waiting:
            self._multiply()
        mean = self._sum / self._count
        covariance = self._products / self._count
        covariance -= mean[:, :, None] * mean[:, None, :]
        return Moments(mean, covariance, self._count)


def taps_of(node: Node, x: torch.Tensor) -> torch.Tensor:
    """Return what the layer's weights are multiplied with: groups x samples x taps."""
    if kind(node) == "linear":
        return x.reshape(1, -1, x.shape[-1])
    weight = argument(node, "weight").meta["val"]
    groups, channels = argument(node, "groups"), weight.shape[1]
    window = window_of(node, weight.shape[2:])
    if x.dim() == 3:
        x = x[:, :, None]
    top, left, bottom, right = window.padding
    if _reads_every_place(window):
        return (
            x.reshape(len(x), groups, channels, -1)
            .permute(1, 0, 3, 2)
            .reshape(groups, -1, channels)
        )
    x = pad(x, (left, right, top, bottom))
    seen = unfold(x, window.size, dilation=window.dilation, stride=window.stride)
    count, _, places = seen.shape
    seen = seen.reshape(count, groups, channels, prod(window.size), places)
    return seen.permute(1, 0, 4, 3, 2).reshape(groups, count * places, -1)


def _reads_every_place(window: Window) -> bool:
    return window.size == (1, 1) and window.stride == (1, 1) and not any(window.padding)


def window_of(node: Node, size: tuple[int, ...]) -> Window:
    """Return the window of a convolution."""
    stride, dilation = (
        per_dimension(argument(node, name), len(size)) for name in ("stride", "dilation")
    )
    padding = argument(node, "padding")
    if not isinstance(padding, str):
        before = per_dimension(padding, len(size))
        return window_along(size, stride, (before, before), dilation)
    spans = [d * (s - 1) if padding == "same" else 0 for d, s in zip(dilation, size, strict=True)]
    sides = tuple(span // 2 for span in spans), tuple(span - span // 2 for span in spans)
    return window_along(size, stride, sides, dilation)


def window_along(
    size: Sequence[int],
    stride: Sequence[int],
    sides: tuple[Sequence[int], Sequence[int]],
    dilation: Sequence[int],
) -> Window:
    """Return a window over two axes, or over the last of them.

    `sides` is the padding before and after.
    """

    def two(numbers: Sequence[int], filler: int) -> tuple[int, int]:
        first, second = (*(filler,) * (2 - len(numbers)), *numbers)
        return first, second

    padding = (*two(sides[0], 0), *two(sides[1], 0))
    return Window(two(size, 1), two(stride, 1), padding, two(dilation, 1))
