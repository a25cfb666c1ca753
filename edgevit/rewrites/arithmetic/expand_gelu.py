"""Tanh form of GELU, in elementary operations.

    gelu(x, "tanh")   ->   x * (0.5 + 0.5 * tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)))

Runtimes with a GELU ignore its form: XNNPACK computes the other one, which differs by 1e-4.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.rewrites.rule import CallRule, Match


class ExpandGelu(CallRule):
    name: ClassVar[str] = "expand-gelu"
    rtol: ClassVar[float] = 1e-5
    pattern: ClassVar[Pattern] = call("gelu", approximate="tanh")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        x = operand(match.node)
        add, mul = torch.ops.aten.add.Tensor, torch.ops.aten.mul.Tensor
        cube = edit.call(mul, edit.call(mul, x, x), x)
        inner = edit.call(add, x, edit.call(mul, cube, 0.044715))
        bent = edit.call(torch.ops.aten.tanh.default, edit.call(mul, inner, math.sqrt(2 / math.pi)))
        return edit.call(mul, x, edit.call(add, edit.call(mul, bent, 0.5), 0.5))
