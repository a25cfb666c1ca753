"""The sigmoid form of GELU, for GELU of either form.

    gelu(x)   ->   x * sigmoid(1.702 x)

At most 0.021 away at any x (Hendrycks and Gimpel 2016): the form that CLIP was trained with.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.rewrites.rule import CallRule, Match

_STEEPNESS = 1.702


class GeluSigmoid(CallRule):
    name: ClassVar[str] = "gelu-sigmoid"
    pattern: ClassVar[Pattern] = call("gelu")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        x, mul = operand(match.node), torch.ops.aten.mul.Tensor
        gate = edit.call(torch.ops.aten.sigmoid.default, edit.call(mul, x, _STEEPNESS))
        return edit.call(mul, x, gate)
