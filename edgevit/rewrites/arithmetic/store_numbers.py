"""Numbers among the operands of sums and products, as constants of one element.

    x + 1e-5   ->   x + c       c = [1e-5]
    x / 8      ->   x * c       c = [0.125]
    3 - x      ->   c - x       c = [3]

A constant has an encoding, which a number of the call's own has not: a chip without floats stores it as an integer. A
divisor is rounded once more as its reciprocal, hence `rtol`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_CALLS = {
    "add": aten.add.Tensor,
    "sub": aten.sub.Tensor,
    "rsub": aten.sub.Tensor,
    "mul": aten.mul.Tensor,
    "div": aten.mul.Tensor,
}


class StoreNumbers(Rule[Match]):
    name: ClassVar[str] = "store-numbers"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in _CALLS or len(node.args) < 2:
            return None
        numbers = [one for one in node.args[:2] if isinstance(one, int | float)]
        return Match(node) if len(numbers) == 1 else None

    def check(self, match: Match, draft: Draft) -> None:
        node = match.node
        if value(node).dtype != torch.float32:
            raise Refused("it is not in float32")
        if kind(node) in {"add", "sub", "rsub"} and argument(node, "alpha") != 1:
            raise Refused("its second operand has a factor")
        if kind(node) == "div" and (not isinstance(node.args[0], Node) or not node.args[1]):
            raise Refused("it is no product with a reciprocal")
        if kind(node) == "div" and node.kwargs.get("rounding_mode"):
            raise Refused("its quotient is rounded")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        operands = [_stored(one, node, edit) for one in node.args[:2]]
        if kind(node) == "rsub":
            operands.reverse()
        return edit.call(_CALLS[kind(node)], *operands)


def _stored(operand: object, node: Node, edit: Edit) -> object:
    if not isinstance(operand, int | float):
        return operand
    number = 1 / operand if kind(node) == "div" else operand
    ones = [1] * len(shape(node))
    return edit.constant(torch.full(ones, float(number)), "number")
