"""Adaptive max pool as a max pool.

Where its windows are of unequal sizes, the larger of two values of one pool is taken.

    adaptive_max_pool(x, n)[0]   ->   max_pool(x, k, stride=k)                                         n windows of k pixels
    adaptive_max_pool(x, n)[0]   ->   y = max_pool(x, k, stride=1);  maximum(y[starts], y[ends - k])   of k and k + 1 pixels

A window of k + 1 pixels is two of k that overlap, and a pixel that is in both counts once in a maximum. The same values.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, op, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.resize.index_probe import selected
from edgevit.rewrites.rule import SAME_VALUES, Match, Refused, Rule

aten = torch.ops.aten
_AXES = {"adaptive_max_pool1d": 1, "adaptive_max_pool2d": 2}


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
        if _AXES[kind(pool)] == 1:
            x = edit.reshaped(x, [*shape(x)[:-1], 1, shape(x)[-1]])
            sizes.insert(-1, 1)
        axes = zip(shape(x)[-2:], sizes[-2:], strict=True)
        return edit.reshaped(
            _pooled(x, [_windows(*axis) for axis in axes], edit), shape(match.node)
        )


def _windows(extent: int, count: int) -> Windows:
    """Return the windows as the op defines them."""
    starts = tuple(k * extent // count for k in range(count))
    return Windows(starts, tuple(-(-(k + 1) * extent // count) for k in range(count)))


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
