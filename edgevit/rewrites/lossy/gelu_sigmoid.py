"""The sigmoid form of GELU, for GELU of either form.

    gelu(x)   ->   x * sigmoid(1.702 x)

At most 0.021 away at any x (Hendrycks and Gimpel 2016): the form that CLIP was trained with.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import op, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.rule import Match, Rule

_STEEPNESS = 1.702


class GeluSigmoid(Rule[Match]):
    name: ClassVar[str] = "gelu-sigmoid"

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if op(node) == "gelu" else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        x, mul = operand(match.node), torch.ops.aten.mul.Tensor
        gate = edit.call(torch.ops.aten.sigmoid.default, edit.call(mul, x, _STEEPNESS))
        return edit.call(mul, x, gate)
