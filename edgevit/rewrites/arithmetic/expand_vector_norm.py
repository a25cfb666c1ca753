"""Norm of a vector, in elementary operations.

    vector_norm(x, 2, dim)     ->   sqrt(sum(x * x, dim))
    vector_norm(x, 1, dim)     ->   sum(abs(x), dim)
    vector_norm(x, inf, dim)   ->   amax(abs(x), dim)

`F.normalize` is written with it, and ExecuTorch has no kernel for it. Values whose squares leave the range of the
type would be lost, so it stays where the type is float16.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Pattern, call, one_of
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import CallRule, Match, Refused

aten = torch.ops.aten


class ExpandVectorNorm(CallRule):
    name: ClassVar[str] = "expand-vector-norm"
    rtol: ClassVar[float] = 1e-6
    pattern: ClassVar[Pattern] = call("linalg_vector_norm", ord=one_of(1, 2, math.inf))

    def check(self, match: Match, draft: Draft) -> None:
        if argument(match.node, "dtype") is not None:
            raise Refused("the sum is taken in a type of its own")
        if value(match.node).dtype == torch.float16:
            raise Refused("squares of float16 leave its range")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        x, order, keepdim = operand(node), argument(node, "ord"), argument(node, "keepdim")
        axes = argument(node, "dim")
        axes = list(range(len(shape(x)))) if axes is None else list(axes)
        if order == 2:
            square = edit.call(aten.mul.Tensor, x, x)
            total = edit.call(aten.sum.dim_IntList, square, axes, keepdim)
            return edit.call(aten.sqrt.default, total)
        reduced = aten.sum.dim_IntList if order == 1 else aten.amax.default
        return edit.call(reduced, edit.call(aten.abs.default, x), axes, keepdim)
