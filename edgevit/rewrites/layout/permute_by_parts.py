"""Permute that only moves short axes past others, as their few parts split and joined
elsewhere.

    permute(x [C, 2, h, w], 1, 0, 2, 3)          ->   cat(split(x, axis 1), axis 0)
    permute(x [C, h, 2, w, 2], 2, 4, 0, 1, 3)    ->   cat(split(pixel_unshuffle(x, 2), axis 1), axis 0)

Windows and patches become a stack in this way, and come back. Rows of pixels stay whole, where a transpose moves them
one by one.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations, pairwise
from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.cost import MATMULS
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.layout.sink_permute.axis_layout import runs
from edgevit.rewrites.rule import SAME_VALUES, Match, Refused, Rule

aten = torch.ops.aten
_MOST = 4  # parts of one axis
_AXES = 5  # of a value: Core ML has no more
Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Way:
    """One way to permute: `dims` by `permutation`, with a step of pixels between it and its input or
    output.
    """

    dims: Sizes
    permutation: tuple[int, ...]
    unshuffled: Sizes = ()  # the image that is read, and its factor
    shuffled: Sizes = ()  # the image that `pixel_shuffle` reads, and its factor

    @property
    def moved(self) -> tuple[int, ...]:
        """Axes that pass others, with the fewest parts; the rest stay in order."""
        count = len(self.dims)
        subsets = (gone for n in range(count + 1) for gone in combinations(range(count), n))
        candidates = [
            gone for gone in subsets if _is_sorted([a for a in self.permutation if a not in gone])
        ]
        return min(candidates, key=lambda gone: prod(self.dims[a] for a in gone))

    @property
    def keeps_rows(self) -> bool:
        return self.permutation[-1:] == tuple(range(len(self.permutation)))[-1:]


@dataclass(frozen=True)
class Turned(Match):
    ways: tuple[Way, ...]


class PermuteByParts(Rule[Turned]):
    name: ClassVar[str] = "permute-by-parts"
    rtol: ClassVar[float] = SAME_VALUES
    after: ClassVar[tuple[str, ...]] = ("sink-permute",)

    def match(self, node: Node, draft: Draft) -> Turned | None:
        if kind(node) != "permute" or any(kind(user) in MATMULS for user in node.users):
            return None
        return Turned(node, tuple(_ways(node)))

    def check(self, match: Turned, draft: Draft) -> None:
        if not any(way.keeps_rows for way in match.ways):
            raise Refused("it takes rows of pixels apart")
        if _best(match) is None:
            raise Refused(f"an axis that it moves is longer than {_MOST}")

    def rewrite(self, match: Turned, edit: Edit) -> Node:
        way = _best(match)
        assert way is not None
        result = operand(match.node)
        if way.unshuffled:
            image = edit.reshaped(_source(result), way.unshuffled[:-1])
            result = edit.call(aten.pixel_unshuffle.default, image, way.unshuffled[-1])
        result = _moved(result, way, edit)
        if way.shuffled:
            image = edit.reshaped(result, way.shuffled[:-1])
            result = edit.call(aten.pixel_shuffle.default, image, way.shuffled[-1])
        return edit.reshaped(result, shape(match.node))


def _best(match: Turned) -> Way | None:
    fitting = (
        way
        for way in match.ways
        if way.keeps_rows and all(way.dims[axis] <= _MOST for axis in way.moved)
    )
    return next(fitting, None)


def _ways(node: Node) -> Iterator[Way]:
    dims, permutation = shape(operand(node)), permutation_of(node)
    yield _merged(dims, range(len(dims)), permutation)
    yield from _after_pixels(dims, permutation, shape(_source(operand(node))))
    readers = list(node.users)
    if len(readers) == 1 and kind(readers[0]) == "reshape":
        yield from _before_pixels(dims, permutation, shape(readers[0]))


def _source(node: Node) -> Node:
    return operand(node) if kind(node) == "reshape" else node


def _after_pixels(dims: Sizes, permutation: Sequence[int], image: Sizes) -> Iterator[Way]:
    """Yield ways that first unshuffle an input image, whose innermost rows and columns move."""
    sizes = _common(dims, image)
    if len(image) != 4 or sizes is None:
        return
    interleaved = _interleaved(sizes, image)
    axes = runs(range(len(sizes)), sizes, dims)
    if interleaved is None or axes is None:
        return
    lies, factor = interleaved
    yield _merged(
        sizes, lies, [f for axis in permutation for f in axes[axis]], unshuffled=(*image, factor)
    )


def _before_pixels(dims: Sizes, permutation: Sequence[int], image: Sizes) -> Iterator[Way]:
    """Yield ways that finally shuffle an output image, whose innermost rows and columns have
    been moved there.
    """
    after = tuple(dims[axis] for axis in permutation)
    sizes = _common(after, image)
    if len(image) != 4 or sizes is None:
        return
    interleaved = _interleaved(sizes, image)
    axes = runs(range(len(sizes)), sizes, after)
    if interleaved is None or axes is None:
        return
    order, factor = interleaved
    lies = [f for axis in range(len(dims)) for f in axes[list(permutation).index(axis)]]
    batch, channels, high, wide = image
    small = (batch, channels * factor**2, high // factor, wide // factor)
    yield _merged(sizes, lies, order, shuffled=(*small, factor))


def _interleaved(sizes: Sequence[int], image: Sizes) -> tuple[list[int], int] | None:
    """Return the order of the parts with the last of the rows and of the columns moved into
    the channels, and the factor.
    """
    stretches = runs(range(len(sizes)), sizes, image)
    if stretches is None or len(stretches[2]) < 2 or len(stretches[3]) < 2:
        return None
    batch, channels, rows, columns = stretches
    if sizes[rows[-1]] != sizes[columns[-1]]:
        return None
    order = [*batch, *channels, rows[-1], columns[-1], *rows[:-1], *columns[:-1]]
    return order, sizes[rows[-1]]


def _common(one: Sizes, other: Sizes) -> Sizes | None:
    """Return the sizes that the axes of two row-major shapes of the same values are both made
    of.
    """
    borders = sorted({1, *(b for s in (one, other) for b in accumulate(reversed(s), operator.mul))})
    if any(above % below for below, above in pairwise(borders)):
        return None
    return tuple(above // below for below, above in reversed(list(pairwise(borders))))


def _merged(sizes: Sequence[int], lies: Sequence[int], order: Sequence[int], unshuffled: Sizes = (), shuffled: Sizes = ()) -> Way:  # fmt: skip
    """Merge neighbours that stay neighbours into one axis."""
    lies = [f for f in lies if sizes[f] > 1]
    follows = dict(pairwise(lies))
    groups: list[list[int]] = []
    for part in (f for f in order if sizes[f] > 1):
        if groups and follows.get(groups[-1][-1]) == part:
            groups[-1].append(part)
        else:
            groups.append([part])
    lying = sorted(groups, key=lambda group: lies.index(group[0]))
    dims = tuple(prod(sizes[f] for f in group) for group in lying)
    return Way(dims, tuple(lying.index(group) for group in groups), unshuffled, shuffled)


def _moved(source: Node, way: Way, edit: Edit) -> Node:
    """Bring one axis after the other before its successor, the last first."""
    order = list(range(len(way.dims)))
    for axis in reversed([axis for axis in way.permutation if axis in way.moved]):
        behind = way.permutation[way.permutation.index(axis) + 1]
        dims = [way.dims[a] for a in order]
        place, to = order.index(axis), order.index(behind)
        if len(dims) > _AXES:
            dims, place, to = _few(dims, place, to)
        source = edit.reshaped(source, dims)
        split = edit.call(aten.split.Tensor, source, 1, place)
        parts = [edit.call(operator.getitem, split, k) for k in range(way.dims[axis])]
        source = edit.call(aten.cat.default, parts, to)
        order.remove(axis)
        order.insert(order.index(behind), axis)
    return source


def _few(dims: list[int], place: int, to: int) -> tuple[list[int], int, int]:
    """Merge neighbours that are neither split nor joined into one axis."""
    cuts = sorted({0, place, place + 1, to, len(dims)})
    few = [prod(dims[start:end]) for start, end in pairwise(cuts)]
    return few, cuts.index(place), cuts.index(to)


def _is_sorted(axes: Sequence[int]) -> bool:
    return list(axes) == sorted(axes)
