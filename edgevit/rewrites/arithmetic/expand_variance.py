"""Variances and deviations in the steps of their definition.

    var(x, axes, c)   ->   mean((x - mean(x, axes))^2, axes) * n / (n - c)        std(x)   ->   sqrt(var(x))

The deviations are taken before they are squared: nothing cancels. Sums are added in another order: hence `rtol`.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import CallRule, Match, Refused

aten = torch.ops.aten


class ExpandVariance(CallRule):
    name: ClassVar[str] = "expand-variance"
    rtol: ClassVar[float] = 1e-5
    pattern: ClassVar[Pattern] = call(
        "var", "std", where=lambda node: len(shape(operand(node))) > 0
    )

    def check(self, match: Match, draft: Draft) -> None:
        if _count(match.node) <= _correction(match.node):
            raise Refused("it divides by zero")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        source, axes = operand(node), _axes(node)
        deviation = edit.call(aten.sub.Tensor, source, edit.call(aten.mean.dim, source, axes, True))
        square = edit.call(aten.mul.Tensor, deviation, deviation)
        keepdim = argument(node, "keepdim") if has_argument(node, "keepdim") else False
        variance = edit.call(aten.mean.dim, square, axes, keepdim)
        count, correction = _count(node), _correction(node)
        if correction:
            variance = edit.call(aten.mul.Tensor, variance, count / (count - correction))
        return variance if kind(node) == "var" else edit.call(aten.sqrt.default, variance)


def _axes(node: Node) -> list[int]:
    axes = argument(node, "dim") if has_argument(node, "dim") else None
    rank = len(shape(operand(node)))
    return [axis % rank for axis in axes] if axes else list(range(rank))


def _count(node: Node) -> int:
    return prod(shape(operand(node))[axis] for axis in _axes(node))


def _correction(node: Node) -> float:
    if has_argument(node, "correction"):
        correction = argument(node, "correction")
        return 1 if correction is None else correction
    return int(argument(node, "unbiased")) if has_argument(node, "unbiased") else 1
