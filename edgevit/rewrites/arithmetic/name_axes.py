"""Largest and smallest values over everything, with their axes named.

    amax(x)   ->   amax(x, (0, 1, ..., rank - 1))        and amin alike

torch's ONNX functions of both have no default for the axes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import Match, Rule

_CALLS = {"amax": torch.ops.aten.amax.default, "amin": torch.ops.aten.amin.default}


class NameAxes(Rule[Match]):
    name: ClassVar[str] = "name-axes"

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in _CALLS or not shape(operand(node)):
            return None
        named = has_argument(node, "dim") and argument(node, "dim")
        return None if named else Match(node)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        axes = list(range(len(shape(operand(node)))))
        keeps = has_argument(node, "keepdim") and bool(argument(node, "keepdim"))
        return edit.call(_CALLS[kind(node)], operand(node), axes, keeps)
