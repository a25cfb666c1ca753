"""Writes at computed places of several axes, as writes at places of one.

    x [n, m, c][i, j] = y   ->   reshape(x, n * m, c)[i * m + j] = y

Places that count from the end are counted from the start first, where they are not known to be.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.graph.spans import spans_of
from edgevit.rewrites.rule import SAME_VALUES, Match, Refused, Rule, made_by_rule

aten = torch.ops.aten


class FlattenPuts(Rule[Match]):
    name: ClassVar[str] = "flatten-puts"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) != "index_put" or made_by_rule(node, self.name):
            return None
        tensors = _indices(node)
        if not tensors or all(map(draft.is_constant, tensors)):
            return None
        return Match(node) if len(tensors) > 1 or may_be_negative(tensors[0], draft) else None

    def check(self, match: Match, draft: Draft) -> None:
        axes = _axes(match.node)
        if axes != list(range(axes[0], axes[-1] + 1)):
            raise Refused("it indexes axes apart from each other")
        if any(value(index).dtype in {torch.bool, torch.uint8} for index in _indices(match.node)):
            raise Refused("it writes through a mask")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, axes, sizes = match.node, _axes(match.node), shape(match.node)
        before, extents, behind = sizes[: axes[0]], sizes[axes[0] : axes[-1] + 1], sizes[axes[-1] + 1 :]  # fmt: skip
        indices = _indices(node)
        flat = _from_start(indices[0], extents[0], edit)
        for index, extent in zip(indices[1:], extents[1:], strict=True):
            scaled = edit.call(aten.mul.Tensor, flat, extent)
            flat = edit.call(aten.add.Tensor, scaled, _from_start(index, extent, edit))
        into = edit.reshaped(operand(node), [*before, prod(extents), *behind])
        places = [*[None] * axes[0], flat]
        written = edit.call(aten.index_put.default, into, places, argument(node, "values"), argument(node, "accumulate"))  # fmt: skip
        return edit.reshaped(written, sizes)


def may_be_negative(index: Node, draft: Draft) -> bool:
    return spans_of(draft.as_it_is())[0][index].low < 0


def _from_start(index: Node, count: int, edit: Edit) -> Node:
    if edit.draft.is_constant(index):
        places = edit.draft.tensor(index)
        return edit.constant(torch.where(places < 0, places + count, places), "places")
    if not may_be_negative(index, edit.draft):
        return index
    from_start = edit.call(aten.add.Tensor, index, count)
    return edit.call(aten.where.self, edit.call(aten.lt.Scalar, index, 0), from_start, index)


def _axes(node: Node) -> list[int]:
    return [axis for axis, index in enumerate(argument(node, "indices")) if index is not None]


def _indices(node: Node) -> list[Node]:
    return [index for index in argument(node, "indices") if index is not None]
