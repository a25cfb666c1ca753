"""Quotient of two values as a product.

    x / y   ->   x * reciprocal(y)

Where a product is one operation and a function of one value a table, there is no division left. The reciprocal is rounded
once more: hence `rtol`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import op
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import value
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten


class MultiplyReciprocal(Rule[Match]):
    name: ClassVar[str] = "multiply-reciprocal"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Match | None:
        if op(node) != "div.Tensor":
            return None
        computed = all(isinstance(side, Node) and not draft.is_constant(side) for side in node.args)
        return Match(node) if computed else None

    def check(self, match: Match, draft: Draft) -> None:
        if any(not value(side).is_floating_point() for side in match.node.all_input_nodes):
            raise Refused("it is a quotient of integers")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        dividend, divisor = match.node.args
        return edit.call(aten.mul.Tensor, dividend, edit.call(aten.reciprocal.default, divisor))
