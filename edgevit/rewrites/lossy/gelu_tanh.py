"""The tanh form of GELU for the exact one.

    gelu(x) = x * Phi(x)   ->   gelu(x, "tanh") = x * (0.5 + 0.5 * tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))

At most 5e-4 away at any x (Hendrycks and Gimpel 2016). For runtimes that have no erf.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.rewrites.rule import CallRule, Match


class GeluTanh(CallRule):
    name: ClassVar[str] = "gelu-tanh"
    pattern: ClassVar[Pattern] = call("gelu", approximate="none")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        return edit.call(torch.ops.aten.gelu.default, operand(match.node), approximate="tanh")
