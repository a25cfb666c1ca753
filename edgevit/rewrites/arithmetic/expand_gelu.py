"""Tanh form of GELU, in elementary operations.

    gelu(x, "tanh")   ->   x * (0.5 + 0.5 * tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)))

Runtimes with a GELU ignore its form: XNNPACK computes the other one, which differs by 1e-4.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, op, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.rule import Match, Rule


class ExpandGelu(Rule[Match]):
    name: ClassVar[str] = "expand-gelu"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Match | None:
        tanh = op(node) == "gelu" and argument(node, "approximate") == "tanh"
        return Match(node) if tanh else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        x = operand(match.node)
        add, mul = torch.ops.aten.add.Tensor, torch.ops.aten.mul.Tensor
        cube = edit.call(mul, edit.call(mul, x, x), x)
        inner = edit.call(add, x, edit.call(mul, cube, 0.044715))
        bent = edit.call(torch.ops.aten.tanh.default, edit.call(mul, inner, math.sqrt(2 / math.pi)))
        return edit.call(mul, x, edit.call(add, edit.call(mul, bent, 0.5), 0.5))
