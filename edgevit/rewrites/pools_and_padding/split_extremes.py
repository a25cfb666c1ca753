"""Extremes over several axes, as a pool of the whole image or along one axis after the other.

amax(x, (2, 3))   ->   reshape(max_pool2d(x, whole))          of a picture
amin(x, (1, 2))   ->   amin(amin(x, 2), 1)
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

aten = torch.ops.aten


class SplitExtremes(Rule[Match]):
    name: ClassVar[str] = "split-extremes"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if kind(node) in {"amax", "amin"} and len(_axes(node)) > 1 else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, x = match.node, operand(match.node)
        axes, sizes = _axes(node), shape(x)
        if kind(node) == "amax" and len(sizes) == 4 and axes == [2, 3]:
            x = edit.call(aten.max_pool2d.default, x, list(sizes[2:]))
        else:
            along = aten.amax.default if kind(node) == "amax" else aten.amin.default
            for axis in reversed(axes):
                x = edit.call(along, x, [axis], True)
        return edit.call(aten.reshape.default, x, list(shape(node)))


def _axes(node: Node) -> list[int]:
    rank = len(shape(operand(node)))
    return sorted(axis % rank for axis in argument(node, "dim")) or list(range(rank))
