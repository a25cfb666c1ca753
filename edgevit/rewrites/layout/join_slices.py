"""Adjacent slices that cover a value, as a split.

    slice(x, axis, 0, k), slice(x, axis, k, n)   ->   split(x, [k, n - k], axis)

The same values, in one call.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.layout.lower_rank.rule import MOST
from edgevit.rewrites.layout.name_views import places_of
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

aten = torch.ops.aten


@dataclass(frozen=True)
class Slices(Match):
    """Slices of one value.

    `node` is the first of `slices` in the graph; those are in their order along `axis`.
    """

    slices: tuple[Node, ...]
    axis: int


class JoinSlices(Rule[Slices]):
    name: ClassVar[str] = "join-slices"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Slices | None:
        if kind(node) != "slice" or draft.is_constant(operand(node)):
            return None
        if len(shape(operand(node))) > MOST:
            return None  # slices have a form with fewer axes, and splits have none
        axis, _ = places_of(node)
        slices = (user for user in operand(node).users if kind(user) == "slice")
        beside = {
            user: where for user in slices for along, where in [places_of(user)] if along == axis
        }
        if len(beside) < 2 or next(call for call in node.graph.nodes if call in beside) is not node:
            return None
        ordered = sorted(beside, key=lambda user: beside[user].start)
        tiled = [place for user in ordered for place in beside[user]]
        if tiled != list(range(shape(operand(node))[axis])):
            return None
        return Slices(node, tuple(ordered), axis)

    def rewrite(self, match: Slices, edit: Edit) -> Node:
        sizes = [shape(one)[match.axis] for one in match.slices]
        split = edit.call(aten.split_with_sizes.default, operand(match.node), sizes, match.axis)
        replacements = {
            one: edit.call(operator.getitem, split, k) for k, one in enumerate(match.slices)
        }
        for one, part in replacements.items():
            if one is not match.node:
                edit.replace(one, part)
        return replacements[match.node]
