"""Relayout of a tensor for an operation's memory order.

A permute is made only where one is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod

from edgevit.integer.graph import Value
from edgevit.integer.lowering.builder import Builder, QuantTensor
from edgevit.integer.lowering.layout import TensorLayout, aligned


def in_memory(tensor: QuantTensor, places: Sequence[int], builder: Builder) -> QuantTensor:
    """Permute memory axes to this order."""
    layout = tensor.layout
    if list(places) == list(range(len(layout.sizes))):
        return tensor
    groups = _kept_together(places)
    first = sorted(groups, key=lambda group: group[0])
    sizes = [prod(layout.sizes[place] for place in group) for group in first]
    order = tuple(first.index(group) for group in groups)
    value = builder.permuted(builder.shaped(tensor.value, sizes), order)
    return replace(tensor, value=value, layout=layout.ordered(places))


def _kept_together(places: Sequence[int]) -> list[list[int]]:
    """Group neighbouring axes that stay neighbours."""
    groups = [[places[0]]]
    for before, place in pairwise(places):
        if place == before + 1:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def by_axes(tensor: QuantTensor, order: Sequence[int], builder: Builder) -> QuantTensor:
    """Put torch axes in this order in memory, each in one piece, and shape the value by their
    sizes. Axes of one element may be left out.
    """
    places = [place for axis in order for place in tensor.layout.axes[axis]]
    moved = in_memory(tensor, places, builder)
    value = builder.shaped(moved.value, [tensor.shape[axis] for axis in order])
    return replace(moved, value=value)


def with_last(tensor: QuantTensor, axes: Sequence[int], builder: Builder) -> QuantTensor:
    """Move torch axes to the end of memory, in this order; the others keep theirs.

    The value ends in their sizes.
    """
    last = [place for axis in axes for place in tensor.layout.axes[axis]]
    others = [place for place in range(len(tensor.layout.sizes)) if place not in last]
    moved = in_memory(tensor, [*others, *last], builder)
    ends = tuple(tensor.shape[axis] for axis in axes)
    if moved.value.shape[-len(ends) :] == ends and len(moved.value.shape) > len(ends):
        return moved
    rows = prod(tensor.shape) // prod(ends)
    return replace(moved, value=builder.shaped(moved.value, (rows, *ends)))


def with_rows(
    tensor: QuantTensor, axes: Sequence[int], channel: int | None, builder: Builder
) -> QuantTensor:
    """Move torch axes to the end of memory in any order, `channel` last.

    The value is rows x length.
    """
    rows = {place for axis in axes for place in tensor.layout.axes[axis]}
    ends = list(tensor.layout.axes[channel]) if channel is not None else []
    everywhere = range(len(tensor.layout.sizes))
    middle = [place for place in everywhere if place in rows and place not in ends]
    others = [place for place in everywhere if place not in rows]
    return in_memory(tensor, [*others, *middle, *ends], builder)


def one_piece(tensor: QuantTensor, axis: int, builder: Builder) -> QuantTensor:
    """Make a torch axis one axis of memory: its parts move to where the slowest of them is."""
    places = tensor.layout.axes[axis]
    others = [place for place in range(len(tensor.layout.sizes)) if place not in places]
    before = [place for place in others if place < places[0]]
    after = [place for place in others if place > places[0]]
    moved = in_memory(tensor, [*before, *places, *after], builder)
    return replace(moved, layout=moved.layout.merged())


def in_one(tensor: QuantTensor, builder: Builder) -> QuantTensor:
    """Put all axes in torch's own order."""
    places = [place for axis in tensor.layout.axes for place in axis]
    moved = in_memory(tensor, places, builder)
    return replace(moved, layout=TensorLayout.plain(tensor.shape))


def alike(tensor: QuantTensor, model: QuantTensor, builder: Builder) -> QuantTensor:
    """Lay out a tensor as `model`, which has the same shape."""
    cut = aligned(tensor.layout, model.layout)
    if cut is None:  # in torch's order every cut is one
        return alike(in_one(tensor, builder), model, builder)
    own, other = cut
    order = [0] * len(other.sizes)
    for mine, its in zip(own.axes, other.axes, strict=True):
        for place, there in zip(mine, its, strict=True):
            order[there] = place
    moved = in_memory(replace(tensor, layout=own), order, builder)
    return replace(moved, value=builder.shaped(moved.value, model.value.shape))


def both_alike(
    left: QuantTensor, right: QuantTensor, builder: Builder
) -> tuple[QuantTensor, QuantTensor]:
    """Give both the left layout, or the right one if only that has the natural axis order."""
    if right.layout.is_natural and not left.layout.is_natural:
        return alike(left, right, builder), right
    return left, alike(right, left, builder)


def exposed(tensor: QuantTensor, axis: int, builder: Builder) -> tuple[Value, int]:
    """Return the value in a shape that separates one torch axis, and the index of that axis.

    The axis is one of memory.
    """
    (place,) = tensor.layout.axes[axis]
    sizes = tensor.layout.sizes
    outer = prod(sizes[:place])
    seen = 1
    for index, size in enumerate(tensor.value.shape):
        if seen == outer and size == sizes[place]:
            return tensor.value, index
        seen *= size
    return builder.shaped(tensor.value, sizes), place
