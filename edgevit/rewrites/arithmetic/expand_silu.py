"""SiLU as a product with a sigmoid.

    silu(x)   ->   x * sigmoid(x)

The same in real arithmetic, hence `rtol`. Core AI computes a `silu` in float32, off the Neural Engine.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.rewrites.rule import CallRule, Match


class ExpandSilu(CallRule):
    name: ClassVar[str] = "expand-silu"
    rtol: ClassVar[float] = 1e-6
    pattern: ClassVar[Pattern] = call("silu")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        x = operand(match.node)
        gate = edit.call(torch.ops.aten.sigmoid.default, x)
        return edit.call(torch.ops.aten.mul.Tensor, x, gate)
