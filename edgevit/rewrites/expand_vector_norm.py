"""The Euclidean length, in the ops it is made of.

    vector_norm(x, 2, dim)   ->   sqrt(sum(x * x, dim))

`F.normalize` is written with it, and ExecuTorch has no kernel for it. Values whose squares leave the range of the
type would be lost, so it stays where the type is float16.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, op, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import Match, Refused, Rule


class ExpandVectorNorm(Rule[Match]):
    name: ClassVar[str] = "expand-vector-norm"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Match | None:
        euclidean = op(node) == "linalg_vector_norm" and argument(node, "ord") == 2
        return Match(node) if euclidean else None

    def check(self, match: Match, draft: Draft) -> None:
        if argument(match.node, "dtype") is not None:
            raise Refused("the sum is taken in a type of its own")
        if value(match.node).dtype == torch.float16:
            raise Refused("squares of float16 leave its range")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        x = operand(node)
        axes = argument(node, "dim")
        axes = list(range(len(shape(x)))) if axes is None else list(axes)
        square = edit.call(torch.ops.aten.mul.Tensor, x, x)
        total = edit.call(torch.ops.aten.sum.dim_IntList, square, axes, argument(node, "keepdim"))
        return edit.call(torch.ops.aten.sqrt.default, total)
