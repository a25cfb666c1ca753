"""Linear or 1x1 convolution that is only read in slices of its channels, as one for each
slice.

    slice(permute(reshape(linear(x, W, b))))   ->   permute(reshape(linear(x, W[rows], b[rows])))

The packed q/k/v projection of an attention, in whatever order it is unpacked. The same products in the same order;
nothing is copied to be taken apart again, and what follows one part alone (a scale) can be folded into its weights.

Kernels work out several channels at once, and the rest is padding. In XNNPACK on x86-64, three parts of 49 places take
1.63 times the instructions of one projection and its slices when each has 2 channels, 1.23 times with 4, as many with 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.linear_calls import channel_axis, is_projection, with_weights
from edgevit.rewrites.layout.name_views import permutation_of, places_of
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten


@dataclass(frozen=True)
class ProjectionPart(Match):
    """Slice of a packed projection.

    `node` slices `axis` of the unpacked channels, `sizes` at `first` in the reshaped value.
    """

    projection: Node
    views: tuple[Node, ...]  # from the projection on
    factors: tuple[int, ...]  # what its channels are reshaped to
    first: int  # the axis of the first factor, before a permute
    axis: int  # the sliced axis, before a permute


@dataclass(frozen=True)
class SplitProjection(Rule[ProjectionPart]):
    """Rule for packed projections. `least` is the number of channels that a part must have."""

    least: int = 1
    name: ClassVar[str] = "split-projection"
    rtol: ClassVar[float] = 1e-6
    after: ClassVar[tuple[str, ...]] = ("name-views", "merge-reshapes", "merge-permutes")

    def match(self, node: Node, draft: Draft) -> ProjectionPart | None:
        if kind(node) != "slice" or argument(node, "step") != 1:
            return None
        projection, views = _views_before(node)
        if not is_projection(projection, draft) or len(views) > 2:
            return None
        unpacked = _unpacked(projection, views)
        if unpacked is None:
            return None
        factors, first, permutation = unpacked
        axis = permutation[integer(node, "dim") % len(shape(node))]
        if not first <= axis < first + len(factors):
            return None
        return ProjectionPart(node, projection, views, factors, first, axis)

    def check(self, match: ProjectionPart, draft: Draft) -> None:
        *before, packed = (match.projection, *match.views)
        alone = all(len(view.users) == 1 for view in before)
        if not alone or any(kind(user) != "slice" for user in packed.users):
            raise Refused("the projection is also read as a whole")
        if not all(prod(shape(user)) for user in packed.users):
            raise Refused("a slice takes no channels")
        if sum(prod(shape(user)) for user in packed.users) > prod(shape(packed)):
            raise Refused("the slices overlap, and would be worked out twice")
        places = prod(shape(packed)) // prod(match.factors)
        fewest = min(prod(shape(user)) for user in packed.users) // places
        if fewest < self.least:
            raise Refused(f"a part of {fewest} channels would be padded to {self.least}")

    def rewrite(self, match: ProjectionPart, edit: Edit) -> Node:
        part = _rows(match)
        result = with_weights(match.projection, lambda tensor: tensor[part.flatten()], edit)
        for view in match.views:
            result = _again(view, result, match, tuple(part.shape), edit)
        return result


def _views_before(node: Node) -> tuple[Node, tuple[Node, ...]]:
    """Return the sliced value before its reshapes and permutes, and these views."""
    views: list[Node] = []
    source = operand(node)
    while kind(source) in {"reshape", "permute"}:
        views.insert(0, source)
        source = operand(source)
    return source, tuple(views)


def _unpacked(
    projection: Node, views: tuple[Node, ...]
) -> tuple[tuple[int, ...], int, list[int]] | None:
    """Return the factors of the channels, the axis of the first, and the source of each axis
    of the last view.
    """
    axis = channel_axis(projection)
    factors, first, rank = (shape(projection)[axis],), axis, len(shape(projection))
    permutation = list(range(rank))
    for position, view in enumerate(views):
        if kind(view) == "permute":
            if position != len(views) - 1:
                return None
            permutation = permutation_of(view)
        else:
            if position:
                return None
            unfolded = _factors(shape(projection), shape(view), axis)
            if unfolded is None:
                return None
            factors, first = unfolded
            permutation = list(range(len(shape(view))))
    return factors, first, permutation


def _factors(
    before: tuple[int, ...], after: tuple[int, ...], axis: int
) -> tuple[tuple[int, ...], int] | None:
    """Return the axes of `after` that the one axis becomes, if the others stay apart from it."""
    outer, inner = prod(before[:axis]), prod(before[axis + 1 :])
    for first in range(len(after) + 1):
        for last in range(first + 1, len(after) + 1):
            whole = prod(after[:first]) == outer and prod(after[last:]) == inner
            if whole and (first == 0 or after[first] > 1) and _is_tight(after, last):
                return after[first:last], first
    return None


def _is_tight(after: tuple[int, ...], last: int) -> bool:
    """Check that the last factor is longer than 1.

    An axis of length 1 belongs to what comes after.
    """
    return after[last - 1] > 1


def _rows(match: ProjectionPart) -> torch.Tensor:
    _, places = places_of(match.node)
    channels = torch.arange(prod(match.factors)).reshape(match.factors)
    return channels.narrow(match.axis - match.first, places.start, len(places))


def _again(
    view: Node, source: Node, match: ProjectionPart, part: tuple[int, ...], edit: Edit
) -> Node:
    if kind(view) == "permute":
        return edit.call(aten.permute.default, source, permutation_of(view))
    sizes = list(shape(view))
    sizes[match.first : match.first + len(part)] = part
    return edit.call(aten.reshape.default, source, sizes)
