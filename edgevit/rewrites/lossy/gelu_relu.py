"""ReLU for GELU of either form.

    gelu(x)   ->   max(x, 0)

At most 0.17 away at any x, at x = -0.75. Meant for weights that are trained further, or for nets that bear it.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.rewrites.rule import CallRule, Match


class GeluRelu(CallRule):
    name: ClassVar[str] = "gelu-relu"
    pattern: ClassVar[Pattern] = call("gelu")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        return edit.call(torch.ops.aten.relu.default, operand(match.node))
