"""Sum or product that changes only the shape, as an expansion.

    x * ones(shape), x / ones(shape), x + zeros(shape), x - zeros(shape),
    where(true(shape), x, y)   ->   expand(x, shape)

The same values (-0.0 + 0 becomes 0.0, which compares equal). Converters make that step themselves, too late for their
own care of expansions.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import op
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import Match, Rule

_NEUTRAL = {"mul.Tensor": 1, "div.Tensor": 1, "add.Tensor": 0, "sub.Tensor": 0}
_COMMUTE = frozenset({"mul.Tensor", "add.Tensor"})


class NameExpand(Rule[Match]):
    name: ClassVar[str] = "name-expand"

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if _expanded(node, draft) is not None else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        return edit.call(
            torch.ops.aten.expand.default, _expanded(node, edit.draft), list(shape(node))
        )


def _expanded(node: Node, draft: Draft) -> Node | None:
    """Return the value that `node` only expands."""
    if op(node) == "where.self":
        condition, x, other = node.args
        pairs = [(x, condition, True)] if _is(condition, True, draft) else []
        pairs += [(other, condition, False)] if _is(condition, False, draft) else []
    elif op(node) in _NEUTRAL:
        x, other = node.args[:2]
        neutral = _NEUTRAL[op(node)]
        pairs = [(x, other, neutral)] + [(other, x, neutral)] * (op(node) in _COMMUTE)
    else:
        return None
    for source, constant, number in pairs:
        if (
            isinstance(source, Node)
            and _is(constant, number, draft)
            and value(source).dtype == value(node).dtype
            and shape(source) != shape(node)
        ):
            return source
    return None


def _is(operand: object, number: float, draft: Draft) -> bool:
    return (
        isinstance(operand, Node)
        and draft.is_constant(operand)
        and bool((draft.tensor(operand) == number).all())
    )
