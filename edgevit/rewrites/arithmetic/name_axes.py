"""Largest and smallest values over everything, with their axes named.

    amax(x)   ->   amax(x, (0, 1, ..., rank - 1))        and amin alike

torch's ONNX functions of both have no default for the axes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import CallRule, Match

_CALLS = {"amax": torch.ops.aten.amax.default, "amin": torch.ops.aten.amin.default}


def _leaves_axes_out(node: Node) -> bool:
    named = has_argument(node, "dim") and argument(node, "dim")
    return bool(shape(operand(node))) and not named


class NameAxes(CallRule):
    name: ClassVar[str] = "name-axes"
    pattern: ClassVar[Pattern] = call(*_CALLS, where=_leaves_axes_out)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        axes = list(range(len(shape(operand(node)))))
        keeps = has_argument(node, "keepdim") and bool(argument(node, "keepdim"))
        return edit.call(_CALLS[kind(node)], operand(node), axes, keeps)
