"""Remainder of integers, by a division that rounds down.

    remainder(x, n)   ->   x - floor(x / n) * n        of integers

ExecuTorch's kernel gives the remainder the sign of the dividend, PyTorch that of the divisor.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import value
from edgevit.rewrites.rule import CallRule, Match


def _is_of_integers(node: Node) -> bool:
    return not value(node).is_floating_point() and isinstance(node.args[0], Node)


class ExpandRemainder(CallRule):
    name: ClassVar[str] = "expand-remainder"
    pattern: ClassVar[Pattern] = call("remainder", where=_is_of_integers)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        x, n = match.node.args[:2]
        tensor = isinstance(n, Node)
        divide = torch.ops.aten.div.Tensor_mode if tensor else torch.ops.aten.div.Scalar_mode
        times = torch.ops.aten.mul.Tensor if tensor else torch.ops.aten.mul.Scalar
        whole = edit.call(divide, x, n, rounding_mode="floor")
        return edit.call(torch.ops.aten.sub.Tensor, x, edit.call(times, whole, n))
