"""Shifts by a computed number of bits that may be negative, or beyond the width.

    x << n   ->   where(0 <= n < 64, x << clamp(n, 0, 63), 0)
    x >> n   ->   x >> where(0 <= n < 64, n, 63)

PyTorch gives zero, or the sign. In C, which kernels are written in, anything may come of it.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import value
from edgevit.graph.spans import spans_of
from edgevit.rewrites.rule import Match, Rule, made_by_rule

aten = torch.ops.aten
_LEFT = frozenset({"__lshift__", "bitwise_left_shift"})
_SHIFTS = _LEFT | {"__rshift__", "bitwise_right_shift"}


class GuardShifts(Rule[Match]):
    name: ClassVar[str] = "guard-shifts"

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in _SHIFTS or made_by_rule(node, self.name):
            return None
        if len(node.args) < 2 or not isinstance(node.args[1], Node):
            return None
        low, high = spans_of(draft.as_it_is())[0][node.args[1]]
        return Match(node) if low < 0 or high > _last_bit(node) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, by = match.node, match.node.args[1]
        assert isinstance(by, Node)
        last = _last_bit(node)
        inside = edit.call(aten.clamp.default, by, 0, last)
        in_range = edit.call(aten.eq.Tensor, by, inside)
        if kind(node) in _LEFT:
            shifted = edit.call(aten.bitwise_left_shift.Tensor, operand(node), inside)
            nothing = edit.constant(torch.zeros((), dtype=value(node).dtype), "nothing")
            return edit.call(aten.where.self, in_range, shifted, nothing)
        sign = edit.constant(torch.tensor(last, dtype=value(by).dtype), "last")
        safe = edit.call(aten.where.self, in_range, by, sign)
        return edit.call(aten.bitwise_right_shift.Tensor, operand(node), safe)


def _last_bit(node: Node) -> int:
    return torch.iinfo(value(node).dtype).bits - 1
