"""Sort as the top k of all numbers.

    sort(x, dim)   ->   topk(x, n, dim, largest=False)        argsort(x, dim)   ->   topk(...)[1]        n the size of dim

The same numbers. In which order equal ones come is open for both. ExecuTorch has a kernel for the largest, and none
that sorts.
"""

from __future__ import annotations

import operator
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, op, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, Match, Refused, Rule


class ExpandSort(Rule[Match]):
    name: ClassVar[str] = "expand-sort"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        sort = _sort(node)
        return Match(node) if sort is not None and shape(operand(sort)) else None

    def check(self, match: Match, draft: Draft) -> None:
        sort = _sort(match.node)
        assert sort is not None
        if has_argument(sort, "stable") and argument(sort, "stable"):
            raise Refused("equal numbers are to stay in their order")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, sort = match.node, _sort(match.node)
        assert sort is not None
        axis, largest = argument(sort, "dim"), argument(sort, "descending")
        source = operand(sort)
        top = edit.call(torch.ops.aten.topk.default, source, shape(source)[axis], axis, largest)
        place = node.args[1] if op(node) == "getitem" else 1
        return edit.call(operator.getitem, top, place)


def _sort(node: Node) -> Node | None:
    """Return the sort that `node` is a result of."""
    if kind(node) == "argsort":
        return node
    return operand(node) if op(node) == "getitem" and kind(operand(node)) == "sort" else None
