"""Logarithm of exponentials, in steps that keep its digits; `stable_logs` has the equations.

    logaddexp(a, b)   ->   max(a, b) + log1p(exp(-|a - b|))

The sums are added in another order: hence `rtol`.
"""

from __future__ import annotations

from typing import ClassVar

from torch.fx.node import Node

from edgevit.graph.aten import op
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.traced import copied, traced
from edgevit.rewrites.arithmetic.stable_logs import STABLE
from edgevit.rewrites.rule import Match, Rule


class ExpandLogs(Rule[Match]):
    name: ClassVar[str] = "expand-logs"
    rtol: ClassVar[float] = 1e-5

    def __init__(self, *but: str) -> None:
        """Create the rule; `but` are the calls that the runtime has and computes stably itself."""
        self.but = frozenset(but)

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if op(node) in STABLE.keys() - self.but else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        _, result = copied(traced(match.node, STABLE[op(match.node)]), match.node, edit)
        assert isinstance(result, Node)
        return result
