"""A product of stacks of matrices has three axes.

    matmul(x, y)   ->   reshape(bmm(reshape(x), reshape(y)))        where both have as many matrices
    matmul(x, y)   ->   reshape(mm(reshape(x), y))                  where y is one matrix

Otherwise the runtime expands both sides first, and copies them though nothing grows.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import Match, Rule

aten = torch.ops.aten


class FlattenMatmul(Rule[Match]):
    name: ClassVar[str] = "flatten-matmul"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) != "matmul":
            return None
        left, right = (shape(read) for read in node.args)  # type: ignore[arg-type]
        if len(left) < 3 or len(right) < 2:
            return None
        alike = left[:-2] == right[:-2] or len(right) == 2
        return Match(node) if alike else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        left, right = node.args
        assert isinstance(left, Node) and isinstance(right, Node)
        rows, inner, columns = shape(left)[-2], shape(left)[-1], shape(right)[-1]
        stack = prod(shape(left)[:-2])
        if len(shape(right)) == 2:
            flat = edit.call(aten.reshape.default, left, [stack * rows, inner])
            made = edit.call(aten.mm.default, flat, right)
        else:
            made = edit.call(
                aten.bmm.default,
                edit.call(aten.reshape.default, left, [stack, rows, inner]),
                edit.call(aten.reshape.default, right, [stack, inner, columns]),
            )
        return edit.call(aten.reshape.default, made, list(shape(node)))
