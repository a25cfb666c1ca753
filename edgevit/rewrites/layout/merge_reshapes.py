"""Reshapes in a row as one reshape, or none.

    reshape(reshape(x, a), b)   ->   reshape(x, b)        and x itself where b is x's shape

Row-major order is kept by each, so the same values come out.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

RESHAPES = frozenset({"view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"})


class MergeReshapes(Rule[Match]):
    name: ClassVar[str] = "merge-reshapes"
    rtol: ClassVar[float] = SAME_VALUES
    backward: ClassVar[bool] = True

    def match(self, node: Node, draft: Draft) -> Match | None:
        source = node.args[0] if node.args else None
        if kind(node) not in RESHAPES or not isinstance(source, Node):
            return None
        return Match(node) if kind(source) in RESHAPES or shape(source) == shape(node) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        source = match.node
        while kind(source) in RESHAPES:
            source = operand(source)
        sizes = list(shape(match.node))
        if list(shape(source)) == sizes:
            return source
        return edit.call(torch.ops.aten.reshape.default, source, sizes)
