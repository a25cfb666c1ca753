"""Calls that read a tensor only for its shape, with the shape as a constant.

    reshape_as(x, y), view_as(x, y)   ->   reshape(x, sizes of y)
    expand_as(x, y)                   ->   expand(x, sizes of y)

The same values; and `y` loses a reader that would have kept its neighbours from being folded.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

aten = torch.ops.aten
_BY_SIZES = {
    "reshape_as": aten.reshape.default,
    "view_as": aten.reshape.default,
    "expand_as": aten.expand.default,
}


class NameShapes(CallRule):
    name: ClassVar[str] = "name-shapes"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call(*_BY_SIZES)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        return edit.call(_BY_SIZES[kind(node)], node.args[0], list(shape(node)))
