"""Merging of nested clamps: of relu, relu6, hardtanh and clamp by numbers.

    clamp(clamp(x, a, b), c, d)   ->   clamp(x, clamp(a, c, d), clamp(b, c, d))

The same bits. XNNPACK's converter merges such a chain into the convolution or sum before it and keeps the last one's
bounds alone: relu(relu6(conv(x))) then grows without limit.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import value
from edgevit.rewrites.rule import Match, Rule

_BY_NAMES = {
    "hardtanh": ("min_val", "max_val"),
    "clamp": ("min", "max"),
    "clamp_min": ("min", ""),
    "clamp_max": ("", "max"),
}
_FIXED = {"relu": (0.0, math.inf), "relu6": (0.0, 6.0)}


class MergeClamps(Rule[Match]):
    name: ClassVar[str] = "merge-clamps"

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if _bounds(node) and _inner(node) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        inner = _inner(match.node)
        assert inner is not None
        least, most = _ordered(match.node)
        low, high = (min(max(bound, least), most) for bound in _ordered(inner))
        x = operand(inner)
        if (low, high) == _FIXED["relu"]:
            return edit.call(torch.ops.aten.relu.default, x)
        if math.isinf(low) or math.isinf(high) or low == high:
            bounds = [None if math.isinf(bound) else bound for bound in (low, high)]
            return edit.call(torch.ops.aten.clamp.default, x, *bounds)
        return edit.call(torch.ops.aten.hardtanh.default, x, low, high)

    def replaces(self, match: Match) -> tuple[Node, ...]:
        inner = _inner(match.node)
        return (match.node,) if inner is None else (inner, match.node)


def _inner(node: Node) -> Node | None:
    """Return the clamp that only `node` reads."""
    source = operand(node)
    return source if _bounds(source) and len(source.users) == 1 else None


def _ordered(node: Node) -> tuple[float, float]:
    """Return the bounds of a clamp. Where the lower one is above the upper, the upper one holds."""
    bounds = _bounds(node)
    assert bounds is not None
    return min(bounds), bounds[1]


def _bounds(node: Node) -> tuple[float, float] | None:
    is_clamp = kind(node) in _FIXED or kind(node) in _BY_NAMES
    if not is_clamp or not value(node).is_floating_point():
        return None
    if kind(node) in _FIXED:
        return _FIXED[kind(node)]
    low, high = (argument(node, name) if name else None for name in _BY_NAMES[kind(node)])
    if isinstance(low, Node) or isinstance(high, Node):
        return None
    return (-math.inf if low is None else float(low), math.inf if high is None else float(high))
