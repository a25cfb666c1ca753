"""Projections of one value joined into one projection, split behind it.

    linear(x, W, b), linear(x, V, c)   ->   split(linear(x, cat(W, V), cat(b, c)))

The same products. The value is read once, as it was before q, k and v were split to scale one of them.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, per_dimension
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.convolutions.linear_calls import called_with, channel_axis, is_projection
from edgevit.rewrites.rule import Match, Rule

aten = torch.ops.aten


@dataclass(frozen=True)
class Beside(Match):
    """Projections of one value. `node` is the first of `projections`."""

    projections: tuple[Node, ...]


class JoinProjections(Rule[Beside]):
    name: ClassVar[str] = "join-projections"
    rtol: ClassVar[float] = 1e-6
    after: ClassVar[tuple[str, ...]] = ("split-projection", "scale-projection")

    def match(self, node: Node, draft: Draft) -> Beside | None:
        if not is_projection(node, draft):
            return None
        beside = [user for user in operand(node).users if _is_alike(user, node, draft)]
        placed = [call for call in node.graph.nodes if call in beside]
        return Beside(node, tuple(placed)) if len(placed) > 1 and placed[0] is node else None

    def rewrite(self, match: Beside, edit: Edit) -> Node:
        weights = [edit.draft.tensor(argument(one, "weight")) for one in match.projections]
        projection = called_with(
            match.node, torch.cat(weights), _biases(match, weights, edit), edit
        )
        axis = channel_axis(match.node)
        sizes = [len(weight) for weight in weights]
        split = edit.call(aten.split_with_sizes.default, projection, sizes, axis)
        parts = [edit.call(operator.getitem, split, k) for k in range(len(sizes))]
        for one, part in zip(match.projections[1:], parts[1:], strict=True):
            edit.replace(one, part)
        return parts[0]


def _is_alike(user: Node, node: Node, draft: Draft) -> bool:
    if user.target is not node.target or not is_projection(user, draft):
        return False
    if operand(user) is not operand(node) or value(user).dtype != value(node).dtype:
        return False
    if kind(node) == "linear":
        return True
    axes = len(shape(node)) - 2
    one, other = (per_dimension(argument(call, "stride"), axes) for call in (user, node))
    return one == other


def _biases(match: Beside, weights: list[torch.Tensor], edit: Edit) -> torch.Tensor | None:
    biases = [argument(one, "bias") for one in match.projections]
    if all(bias is None for bias in biases):
        return None
    return torch.cat(
        [
            weight.new_zeros(len(weight)) if bias is None else edit.draft.tensor(bias)
            for bias, weight in zip(biases, weights, strict=True)
        ]
    )
