"""Computed indices that count from the end, as indices from the start, where several tensors
index together.

    x[i, j]   ->   x[where(i < 0, i + n, i), where(j < 0, j + m, j)]

A runtime that gathers by tuples has no negative ones: what it reads there is undefined. Places that cannot be negative,
by what they are made of, stay.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.graph.spans import spans_of
from edgevit.rewrites.rule import Match, Rule, made_by_rule

aten = torch.ops.aten


class WrapIndices(Rule[Match]):
    name: ClassVar[str] = "wrap-indices"

    def match(self, node: Node, draft: Draft) -> Match | None:
        if node.target is not aten.index.Tensor or made_by_rule(node, self.name):
            return None
        chosen = [index for index in _indices(node) if isinstance(index, Node)]
        if len(chosen) < 2 or all(map(draft.is_constant, chosen)):
            return None
        spans, _ = spans_of(draft.as_it_is())
        return Match(node) if any(spans[index].low < 0 for index in chosen) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        source = operand(match.node)
        wrapped = [_wrapped(index, shape(source)[axis], edit) for axis, index in enumerate(_indices(match.node))]  # fmt: skip
        return edit.call(aten.index.Tensor, source, wrapped)


def _indices(node: Node) -> list[Any]:
    return list(argument(node, "indices"))


def _wrapped(index: Any, count: int, edit: Edit) -> Any:
    if not isinstance(index, Node) or value(index).dtype in {torch.bool, torch.uint8}:
        return index
    from_start = edit.call(aten.add.Tensor, index, count)
    return edit.call(aten.where.self, edit.call(aten.lt.Scalar, index, 0), from_start, index)
