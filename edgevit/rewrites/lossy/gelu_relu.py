"""ReLU for GELU of either form.

    gelu(x)   ->   max(x, 0)

At most 0.17 away at any x, at x = -0.75. Meant for weights that are trained further, or for nets that bear it.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import op, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.rule import Match, Rule


class GeluRelu(Rule[Match]):
    name: ClassVar[str] = "gelu-relu"

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if op(node) == "gelu" else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        return edit.call(torch.ops.aten.relu.default, operand(match.node))
