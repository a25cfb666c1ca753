"""One-hot rows as a comparison.

one_hot(x, n)   ->   x[..., None] == arange(n)
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import Match, Rule

aten = torch.ops.aten


class ExpandOneHot(Rule[Match]):
    name: ClassVar[str] = "expand-one-hot"

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if kind(node) == "one_hot" else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        column = edit.reshaped(operand(node), [*shape(operand(node)), 1])
        numbers = torch.arange(shape(node)[-1]).reshape([1] * len(shape(operand(node))) + [-1])
        compared = edit.call(aten.eq.Tensor, column, edit.constant(numbers, "places"))
        return edit.call(aten.to.dtype, compared, value(node).dtype)
