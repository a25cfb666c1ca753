"""Calls that combine a few others, as these: `composites` has the equations.

lerp(x, y, w)   ->   x + w * (y - x)
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, op
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import value
from edgevit.graph.traced import copied, traced
from edgevit.rewrites.arithmetic.composites import COMPOSITES
from edgevit.rewrites.rule import Match, Rule


class ExpandComposites(Rule[Match]):
    name: ClassVar[str] = "expand-composites"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Match | None:
        called = _called(node)
        if op(called) not in COMPOSITES or not isinstance(node.meta["val"], torch.Tensor):
            return None
        of_numbers = all(value(x).is_floating_point() for x in called.all_input_nodes)
        return Match(node) if of_numbers else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        called = _called(match.node)
        _, result = copied(traced(called, COMPOSITES[op(called)]), called, edit)
        part = result if called is match.node else result[match.node.args[1]]
        assert isinstance(part, Node)
        return part


def _called(node: Node) -> Node:
    """Return the call, where the node is one of its several results."""
    source = node.args[0] if kind(node) == "getitem" else node
    return source if isinstance(source, Node) else node
