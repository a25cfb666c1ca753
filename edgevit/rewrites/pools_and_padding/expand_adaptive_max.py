"""Adaptive max pool as a max pool.

Where its windows are of unequal sizes, the larger of two values of one pool is taken.

    adaptive_max_pool(x, n)[0]   ->   max_pool(x, k, stride=k)                                         n windows of k pixels
    adaptive_max_pool(x, n)[0]   ->   y = max_pool(x, k, stride=1);  maximum(y[starts], y[ends - k])   of k and k + 1 pixels

    adaptive_max_pool(x, n)[1]   ->   t[argmax(x[t])]                                                  t: the places of each window
    max_pool(x, k)[1]            ->   the same                                                         of windows side by side

A window of k + 1 pixels is two of k that overlap, and a pixel that is in both counts once in a maximum. The same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, op, operand, per_dimension
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.graph.window import adaptive_windows
from edgevit.rewrites.resize.index_probe import selected
from edgevit.rewrites.rule import SAME_VALUES, Match, Refused, Rule

aten = torch.ops.aten
_AXES = {"adaptive_max_pool1d": 1, "adaptive_max_pool2d": 2, "adaptive_max_pool3d": 3}


@dataclass(frozen=True)
class Windows:
    """Windows along one axis."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def least(self) -> int:
        return min(end - start for start, end in zip(self.starts, self.ends, strict=True))

    @property
    def lasts(self) -> tuple[int, ...]:
        """Starts of the windows of the smallest size that end with these."""
        return tuple(end - self.least for end in self.ends)

    @property
    def step(self) -> int:
        """Stride of the windows where they lie side by side; else 1, as any place may begin one."""
        aside = self.starts == tuple(range(0, self.ends[-1], self.least))
        return self.least if aside and self.lasts == self.starts else 1


class ExpandAdaptiveMax(Rule[Match]):
    name: ClassVar[str] = "expand-adaptive-max"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if op(node) != "getitem" or node.args[1] != 0:
            return None
        taken = kind(operand(node)) in _AXES and prod(shape(node))
        return Match(node) if taken else None

    def check(self, match: Match, draft: Draft) -> None:
        if any(read.args[1] == 1 for read in operand(match.node).users):
            raise Refused("where the maxima are is asked for too")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        pool = operand(match.node)
        x, sizes = operand(pool), list(shape(match.node))
        if _AXES[kind(pool)] == 3:
            return edit.reshaped(_pooled_volume(x, sizes[-3:], edit), sizes)
        if _AXES[kind(pool)] == 1:
            x = edit.reshaped(x, [*shape(x)[:-1], 1, shape(x)[-1]])
            sizes.insert(-1, 1)
        axes = zip(shape(x)[-2:], sizes[-2:], strict=True)
        return edit.reshaped(
            _pooled(x, [_windows(*axis) for axis in axes], edit), shape(match.node)
        )


class ExpandAdaptivePlaces(Rule[Match]):
    name: ClassVar[str] = "expand-adaptive-places"
    rtol: ClassVar[float] = SAME_VALUES

    def __init__(self, tiles: bool = False) -> None:
        """Create the rule; `tiles`: also for max pools whose windows lie side by side and cover the image."""
        self._tiles = tiles

    def match(self, node: Node, draft: Draft) -> Match | None:
        if op(node) != "getitem" or node.args[1] != 1 or not prod(shape(node)):
            return None
        pool = operand(node)
        taken = kind(pool) in _AXES or (self._tiles and _is_tiled(pool))
        return Match(node) if taken else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        pool, sizes = operand(match.node), shape(match.node)
        axes = _AXES.get(kind(pool), 2)
        image = shape(operand(pool))[-axes:]
        lead = sizes[: len(sizes) - axes]
        table = edit.constant(_places(image, sizes[-axes:]), "places")
        cells, most = shape(table)
        flat = edit.reshaped(operand(pool), [*lead, prod(image)])
        windows = edit.call(aten.index_select.default, flat, len(lead), _flat(table, edit))
        largest = edit.call(aten.argmax.default, edit.reshaped(windows, [*lead, cells, most]), -1)
        first = edit.constant(torch.arange(0, cells * most, most), "windows")
        among = edit.call(aten.add.Tensor, largest, first)
        return edit.reshaped(edit.call(aten.index.Tensor, _flat(table, edit), [among]), sizes)


def _is_tiled(pool: Node) -> bool:
    """Return whether the windows of a pool of images are those of an adaptive one."""
    if kind(pool) != "max_pool2d_with_indices":
        return False
    kernel, padding, dilation = (
        per_dimension(argument(pool, name), 2) for name in ("kernel_size", "padding", "dilation")
    )
    stride: Sequence[int] = argument(pool, "stride") if has_argument(pool, "stride") else []
    steps = per_dimension([*stride], 2) if stride else kernel
    image = shape(operand(pool))[-2:]
    covers = all(extent % size == 0 for extent, size in zip(image, kernel, strict=True))
    return covers and list(steps) == list(kernel) and {*padding, *dilation} == {0, 1}


def _flat(table: Node, edit: Edit) -> Node:
    return edit.reshaped(table, [prod(shape(table))])


def _places(image: Sequence[int], counts: Sequence[int]) -> torch.Tensor:
    """Return the places of each window's values in the image, a row each; the last fills a short row."""
    places = torch.arange(prod(image)).reshape(*image)
    spans = [
        [slice(*span) for span in zip(axis.starts, axis.ends, strict=True)]
        for axis in map(_windows, image, counts)
    ]
    rows = [places[window].flatten() for window in product(*spans)]
    most = max(map(len, rows))
    return torch.stack([torch.cat([row, row[-1:].expand(most - len(row))]) for row in rows])


def _windows(extent: int, count: int) -> Windows:
    """Return the windows as the op defines them."""
    spans = adaptive_windows(extent, count)
    return Windows(tuple(start for start, _ in spans), tuple(end for _, end in spans))


def _pooled_volume(x: Node, counts: Sequence[int], edit: Edit) -> Node:
    """Pool the images of all depths, then the depths of all places."""
    *lead, depth, height, width = shape(x)
    images = edit.reshaped(x, [prod(lead), depth, height, width])
    flat = _pooled(images, [_windows(height, counts[1]), _windows(width, counts[2])], edit)
    places = counts[1] * counts[2]
    columns = edit.reshaped(flat, [prod(lead), 1, depth, places])
    return _pooled(columns, [_windows(depth, counts[0]), _windows(places, places)], edit)


def _pooled(x: Node, windows: list[Windows], edit: Edit) -> Node:
    least, step = [axis.least for axis in windows], [axis.step for axis in windows]
    if max(least) > 1:
        x = edit.call(aten.max_pool2d.default, x, least, step)
    first = len(shape(x)) - 2
    for axis, of in enumerate(windows, start=first):
        starts, lasts = ([at // of.step for at in places] for places in (of.starts, of.lasts))
        begun = selected(x, axis, torch.tensor(starts), edit)
        ended = begun if lasts == starts else selected(x, axis, torch.tensor(lasts), edit)
        x = begun if ended is begun else edit.call(aten.maximum.default, begun, ended)
    return x
