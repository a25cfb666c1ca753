"""The larger and the smaller of two values, for integers, which have functions of one value and sums.

maximum(x, c)   ->   clamp(x, min=c)             c the same everywhere
maximum(a, b)   ->   b + relu(a - b)
minimum(a, b)   ->   a - relu(a - b)
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten


class ExpandMaximum(Rule[Match]):
    name: ClassVar[str] = "expand-maximum"
    rtol: ClassVar[float] = 1e-6  # the difference is rounded, and the sum again
    after: ClassVar[tuple[str, ...]] = ("fold-fills",)

    def match(self, node: Node, draft: Draft) -> Match | None:
        if node.op != "call_function" or kind(node) not in {"maximum", "minimum"}:
            return None
        return Match(node)

    def check(self, match: Match, draft: Draft) -> None:
        if not value(match.node).dtype.is_floating_point:
            raise Refused("its values are integers")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        a, b = operand(node), operand(node, 1)
        for x, constant in ((a, b), (b, a)):
            bound = _uniform(constant, edit.draft)
            if bound is not None and shape(x) == shape(node):
                limits = (bound, None) if kind(node) == "maximum" else (None, bound)
                return edit.call(aten.clamp.default, x, *limits)
        rest = edit.call(aten.relu.default, edit.call(aten.sub.Tensor, a, b))
        if kind(node) == "maximum":
            return edit.call(aten.add.Tensor, b, rest)
        return edit.call(aten.sub.Tensor, a, rest)


def _uniform(node: Node, draft: Draft) -> float | None:
    """Return the one finite number that a constant has everywhere."""
    if not draft.is_constant(node):
        return None
    tensor = draft.tensor(node)
    first = float(tensor.flatten()[0])
    return first if bool((tensor == first).all()) and abs(first) < float("inf") else None
