"""Permutes in a row are one permute, or none; one that moves no axis longer than 1 past another is a reshape.

    permute(permute(x, a), b)   ->   permute(x, a[b])        and x itself where that is the identity

The same values, and nothing is copied that stays in its order.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.name_views import turn_of
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

aten = torch.ops.aten


class MergePermutes(Rule[Match]):
    name: ClassVar[str] = "merge-permutes"
    rtol: ClassVar[float] = SAME_VALUES
    after: ClassVar[tuple[str, ...]] = ("name-views",)

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) != "permute":
            return None
        return Match(node) if kind(operand(node)) == "permute" or _keeps_order(node) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        source, turn = operand(node), turn_of(node)
        if _keeps_order(node):
            return edit.call(aten.reshape.default, source, list(shape(node)))
        if kind(source) == "permute":
            first = turn_of(source)
            source, turn = operand(source), [first[axis] for axis in turn]
        if turn == sorted(turn):
            return source
        return edit.call(aten.permute.default, source, turn)


def _keeps_order(node: Node) -> bool:
    return _long_axes(node) == sorted(_long_axes(node))


def _long_axes(node: Node) -> list[int]:
    sizes = shape(operand(node))
    return [axis for axis in turn_of(node) if sizes[axis] > 1]
