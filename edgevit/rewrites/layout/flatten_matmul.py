"""Product of stacks of matrices, with three axes.

    matmul(x, y)   ->   reshape(bmm(reshape(x), reshape(y)))        where both have as many matrices
    matmul(x, y)   ->   reshape(mm(reshape(x), y))                  where y is one matrix
    matmul(x, y)   ->   permute(matmul(permute(y), permute(x)))     where x is one matrix

Otherwise the runtime expands both sides first, and copies them though nothing grows.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import CallRule, Match

aten = torch.ops.aten


def _is_of_stacks(node: Node) -> bool:
    left, right = shape(operand(node)), shape(operand(node, 1))
    if len(left) < 2 or len(right) < 2 or len(left) + len(right) < 5:
        return False
    return left[:-2] == right[:-2] or 2 in (len(left), len(right))


class FlattenMatmul(CallRule):
    name: ClassVar[str] = "flatten-matmul"
    rtol: ClassVar[float] = 1e-6
    pattern: ClassVar[Pattern] = call("matmul", where=_is_of_stacks)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        left, right = operand(node), operand(node, 1)
        if len(shape(left)) == 2:
            return _from_the_left(node, left, right, edit)
        rows, inner, columns = shape(left)[-2], shape(left)[-1], shape(right)[-1]
        stack = prod(shape(left)[:-2])
        if len(shape(right)) == 2:
            flat = edit.call(aten.reshape.default, left, [stack * rows, inner])
            product = edit.call(aten.mm.default, flat, right)
        else:
            product = edit.call(
                aten.bmm.default,
                edit.call(aten.reshape.default, left, [stack, rows, inner]),
                edit.call(aten.reshape.default, right, [stack, inner, columns]),
            )
        return edit.call(aten.reshape.default, product, list(shape(node)))


def _from_the_left(node: Node, left: Node, right: Node, edit: Edit) -> Node:
    last = len(shape(right)) - 1
    swap = [*range(last - 1), last, last - 1]
    transposed = edit.call(aten.permute.default, right, swap)
    product = edit.call(
        aten.matmul.default, transposed, edit.call(aten.permute.default, left, [1, 0])
    )
    return edit.call(aten.permute.default, product, swap)
