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
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

aten = torch.ops.aten


def _merges(node: Node) -> bool:
    source = operand(node)
    return kind(source) == "permute" or _keeps_order(source, permutation_of(node))


class MergePermutes(CallRule):
    name: ClassVar[str] = "merge-permutes"
    rtol: ClassVar[float] = SAME_VALUES
    after: ClassVar[tuple[str, ...]] = ("name-views",)
    pattern: ClassVar[Pattern] = call("permute", where=_merges)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        source, permutation = operand(node), permutation_of(node)
        if kind(source) == "permute":
            first = permutation_of(source)
            source, permutation = operand(source), [first[axis] for axis in permutation]
        if permutation == sorted(permutation):
            return source
        if _keeps_order(source, permutation):
            return edit.call(aten.reshape.default, source, list(shape(node)))
        return edit.call(aten.permute.default, source, permutation)


def _keeps_order(source: Node, permutation: list[int]) -> bool:
    long = [axis for axis in permutation if shape(source)[axis] > 1]
    return long == sorted(long)
