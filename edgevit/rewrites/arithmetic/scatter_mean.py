"""Means of scattered rows, as their sums over how many there are.

scatter_reduce(x, axis, i, y, mean)   ->   scatter_add(x, axis, i, y) / scatter_add(1, axis, i, 1)

Numbers are added in another order: hence `rtol`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, kind, node_argument, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten


class ScatterMean(Rule[Match]):
    name: ClassVar[str] = "scatter-mean"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Match | None:
        is_mean = kind(node) == "scatter_reduce" and argument(node, "reduce") == "mean"
        return Match(node) if is_mean else None

    def check(self, match: Match, draft: Draft) -> None:
        node = match.node
        if not argument(node, "include_self"):
            raise Refused("the old value is not in the mean")
        if not value(node).is_floating_point():
            raise Refused("it is not of real numbers")
        axis = integer(node, "dim") % len(shape(node))
        if any(size > 1 for k, size in enumerate(shape(_column(node))) if k != axis):
            raise Refused("the elements of a row have places of their own")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, index = match.node, node_argument(match.node, "index")
        axis = integer(node, "dim") % len(shape(node))
        source = node_argument(node, "src")
        total = edit.call(aten.scatter_add.default, operand(node), axis, index, source)
        ones = [_ones(node, axis, shape(one)[axis], edit) for one in (node, index)]
        counts = edit.call(aten.scatter_add.default, ones[0], axis, _column(node), ones[1])
        return edit.call(aten.div.Tensor, total, counts)


def _column(node: Node) -> Node:
    """Return the places before they were spread over the elements of a row."""
    index = node_argument(node, "index")
    while kind(index) == "expand" and len(shape(operand(index))) == len(shape(index)):
        index = operand(index)
    return index


def _ones(node: Node, axis: int, size: int, edit: Edit) -> Node:
    sizes = [1] * len(shape(node))
    sizes[axis] = size
    return edit.constant(torch.ones(sizes, dtype=value(node).dtype), "ones")
