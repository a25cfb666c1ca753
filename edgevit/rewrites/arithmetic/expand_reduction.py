"""Means and sums as products with a constant row.

Only those over whole images are left to pooling.

    mean(x, axes)   ->   linear(x with these axes last, 1/K)        sum(x, axes)   ->   linear(x with these axes last, 1)
    mean(x, (2, 3), keepdim=False)   ->   reshape(mean(x, (2, 3), keepdim=True))

Delegates take a mean over the height and width of an image, and no other. Sums are added in another order: `rtol`.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import CallRule, Match

aten = torch.ops.aten
_IMAGE = [2, 3]


def _is_expanded(node: Node) -> bool:
    source = operand(node)
    if not shape(source) or {value(node).dtype, value(source).dtype} != {torch.float32}:
        return False
    return not (_is_pooling(node) and argument(node, "keepdim"))


class ExpandReduction(CallRule):
    name: ClassVar[str] = "expand-reduction"
    rtol: ClassVar[float] = 1e-5
    pattern: ClassVar[Pattern] = call("mean", "sum", where=_is_expanded)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        source, result_shape = operand(node), list(shape(node))
        if _is_pooling(node):
            mean = edit.call(aten.mean.dim, source, _IMAGE, True)
            return edit.call(aten.reshape.default, mean, result_shape)
        sizes, axes = shape(source), _axes(node)
        other_axes = [axis for axis in range(len(sizes)) if axis not in axes]
        count = prod(sizes[axis] for axis in axes)
        last = edit.call(aten.permute.default, source, [*other_axes, *axes])
        rows = edit.call(aten.reshape.default, last, [*(sizes[axis] for axis in other_axes), count])
        share = 1 / count if kind(node) == "mean" else 1.0
        weight = edit.constant(torch.full((1, count), share), "row")
        return edit.call(
            aten.reshape.default, edit.call(aten.linear.default, rows, weight), result_shape
        )


def _axes(node: Node) -> list[int]:
    rank = len(shape(operand(node)))
    axes = argument(node, "dim") if has_argument(node, "dim") else None
    return sorted(axis % rank for axis in axes) if axes else list(range(rank))


def _is_pooling(node: Node) -> bool:
    return kind(node) == "mean" and len(shape(operand(node))) == 4 and _axes(node) == _IMAGE
