"""Absolute values of absolute values.

abs(abs(x))   ->   abs(x)
"""

from typing import ClassVar

from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.foreign import RuleSet
from edgevit.rewrites.rule import Match, Rule


class MergeAbsolutes(Rule[Match]):
    name: ClassVar[str] = "merge-absolutes"
    after: ClassVar[tuple[str, ...]] = ("drop-identity",)

    def match(self, node: Node, draft: Draft) -> Match | None:
        inner = node.args[0] if kind(node) == "abs" else None
        return Match(node) if isinstance(inner, Node) and kind(inner) == "abs" else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        inner = match.node.args[0]
        assert isinstance(inner, Node)
        return inner


RULES = RuleSet((MergeAbsolutes(),))
