"""Permutes in a row as one permute, or none.

One that moves no axis longer than 1 past another becomes a reshape.

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
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

aten = torch.ops.aten


class MergePermutes(Rule[Match]):
    name: ClassVar[str] = "merge-permutes"
    rtol: ClassVar[float] = SAME_VALUES
    after: ClassVar[tuple[str, ...]] = ("name-views",)

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) != "permute":
            return None
        merges = kind(operand(node)) == "permute"
        return Match(node) if merges or _keeps_order(operand(node), permutation_of(node)) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        source, turn = operand(node), permutation_of(node)
        if kind(source) == "permute":
            first = permutation_of(source)
            source, turn = operand(source), [first[axis] for axis in turn]
        if turn == sorted(turn):
            return source
        if _keeps_order(source, turn):
            return edit.call(aten.reshape.default, source, list(shape(node)))
        return edit.call(aten.permute.default, source, turn)


def _keeps_order(source: Node, turn: list[int]) -> bool:
    long = [axis for axis in turn if shape(source)[axis] > 1]
    return long == sorted(long)
