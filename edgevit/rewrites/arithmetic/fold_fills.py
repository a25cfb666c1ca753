"""Tensors of one number, whose shape alone is read from another value.

ones_like(x), zeros_like(x), full_like(x, c), x.new_ones(...), fill(x, c)   ->   constant
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import Match, Rule

_NUMBERS: dict[str, float] = {
    "zeros_like": 0.0,
    "ones_like": 1.0,
    "new_zeros": 0.0,
    "new_ones": 1.0,
    "zero": 0.0,
}
_FILLS = {"full_like": 1, "new_full": 2, "fill": 1}  # the place of their number


class FoldFills(Rule[Match]):
    name: ClassVar[str] = "fold-fills"

    def match(self, node: Node, draft: Draft) -> Match | None:
        return None if _number(node, draft) is None else Match(node)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        number = _number(match.node, edit.draft)
        assert number is not None
        whole = torch.full(shape(match.node), number, dtype=value(match.node).dtype)
        return edit.constant(whole, "fill")


def _number(node: Node, draft: Draft) -> float | None:
    if kind(node) in _NUMBERS:
        return _NUMBERS[kind(node)]
    if kind(node) not in _FILLS:
        return None
    number = node.args[_FILLS[kind(node)]]
    if isinstance(number, Node):
        return draft.tensor(number).item() if draft.is_constant(number) else None
    return number if isinstance(number, int | float) else None
