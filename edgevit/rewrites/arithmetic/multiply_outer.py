"""Outer product as a multiplication with broadcasting.

    matmul(x, y), bmm(x, y), mm(x, y)   ->   x * y        x: ... x M x 1, y: ... x 1 x N

Each number of either is one product, without a sum: the same values come out (-0.0 may be 0.0, which compares equal).
TFLite's converter computes with a wrong axis where M is 1 as well: "contracting dimension sizes must match".
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule


class MultiplyOuter(Rule[Match]):
    name: ClassVar[str] = "multiply-outer"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in {"bmm", "matmul", "mm"}:
            return None
        left, right = shape(operand(node)), shape(operand(node, 1))
        return Match(node) if len(left) > 1 < len(right) and left[-1] == 1 else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        return edit.call(torch.ops.aten.mul.Tensor, operand(match.node), operand(match.node, 1))
