"""Handlers of calls along named axes: softmax, reductions, slices, joins and pads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import prod

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, integer, operand, operand_list
from edgevit.graph.program import shape
from edgevit.rewrites.layout.sink_permute.axis_layout import (
    AxisLayout,
    Order,
    Parts,
    common_parts,
    four,
    laid_in,
    numbered,
    order_in,
    restricted,
    runs,
)
from edgevit.rewrites.layout.sink_permute.expression import Laid, NewCall
from edgevit.rewrites.layout.sink_permute.layout_assignment import LayoutAssignment

aten = torch.ops.aten


def softmax(plan: LayoutAssignment, node: Node) -> Laid | None:
    """Plan a softmax.

    Over several stretches of memory it is done in steps, with the maximum subtracted first as in
    the call itself.
    """
    if argument(node, "dtype") is not None:
        return None
    laid = plan.of(operand(node))
    block = laid.layout.axes[integer(node, "dim") % len(shape(node))]
    if not block:
        return None
    source, places = plan.exposed(laid, block, node)
    if len(places) == 1:
        return Laid(
            NewCall(node, node.target, (source, places[0]), {}, source.shape), laid.maybe_layout
        )
    narrow = tuple(1 if axis in places else size for axis, size in enumerate(source.shape))
    largest = NewCall(node, aten.amax.default, (source, list(places), True), {}, narrow)
    below = NewCall(node, aten.sub.Tensor, (source, largest), {}, source.shape)
    grown = NewCall(node, aten.exp.default, (below,), {}, source.shape)
    total = NewCall(node, aten.sum.dim_IntList, (grown, list(places), True), {}, narrow)
    return Laid(NewCall(node, aten.div.Tensor, (grown, total), {}, source.shape), laid.maybe_layout)


def reduction(plan: LayoutAssignment, node: Node) -> Laid | None:
    """Plan a mean, sum, norm, maximum or minimum."""
    if not has_argument(node, "dim") or (has_argument(node, "dtype") and argument(node, "dtype")):
        return None
    laid, rank = plan.of(operand(node)), len(shape(operand(node)))
    named = argument(node, "dim")
    named = [named] if isinstance(named, int) else named
    axes = {axis % rank for axis in named or range(rank)}
    block = [f for axis in axes for f in laid.layout.axes[axis]]
    if not block:
        return None
    source, places = plan.exposed(laid, block, node, cut=True)
    stays = argument(node, "keepdim")
    sizes = tuple(
        1 if axis in places else size
        for axis, size in enumerate(source.shape)
        if stays or axis not in places
    )
    order = (argument(node, "ord"),) if has_argument(node, "ord") else ()
    call = NewCall(node, node.target, (source, *order, list(places), stays), {}, sizes)
    return Laid(call, _without(laid.layout, axes, stays))


def part(plan: LayoutAssignment, node: Node) -> Laid | None:
    """Plan a slice."""
    laid, axis = plan.of(operand(node)), integer(node, "dim") % len(shape(node))
    if not laid.layout.axes[axis]:
        return None
    laid = plan.gathered(laid, axis, node)
    block = laid.layout.axes[axis]
    source, (place,) = plan.exposed(laid, block, node)
    start, end, step = (argument(node, name) for name in ("start", "end", "step"))
    length = shape(node)[axis]
    sizes = (*source.shape[:place], length, *source.shape[place + 1 :])
    call = NewCall(node, node.target, (source, place, start, end, step), {}, sizes)
    return Laid(call, laid.layout.resized(block, axis, length))


def pieces(plan: LayoutAssignment, node: Node) -> Laid | None:
    """Plan a split. Its layout is that of its input, from which each part gets its own."""
    laid, axis = plan.of(operand(node)), integer(node, "dim") % len(shape(operand(node)))
    if not laid.layout.axes[axis]:
        return None
    laid = plan.gathered(laid, axis, node)
    source, (place,) = plan.exposed(laid, laid.layout.axes[axis], node)
    call = NewCall(node, node.target, (source, node.args[1], place), {}, source.shape)
    return Laid(call, laid.maybe_layout)


def piece(plan: LayoutAssignment, node: Node) -> Laid | None:
    split = operand(node)
    laid = plan.of(split)
    if laid.maybe_layout is None or not isinstance(laid.source, NewCall):
        return None
    axis, place = integer(split, "dim") % len(laid.maybe_layout.axes), laid.source.args[2]
    sizes, length = laid.source.shape, shape(node)[axis]
    result_shape = (*sizes[:place], length, *sizes[place + 1 :])
    call = NewCall(node, node.target, (laid.source, node.args[1]), {}, result_shape)
    return Laid(call, laid.maybe_layout.resized(laid.maybe_layout.axes[axis], axis, length))


def _without(layout: AxisLayout, axes: set[int], keepdim: bool) -> AxisLayout:
    gone = {f for axis in axes for f in layout.axes[axis]}
    remaining = [f for f in range(len(layout.sizes)) if f not in gone]
    number = {f: k for k, f in enumerate(remaining)}
    axes_after = [
        () if axis in axes else tuple(number[f] for f in factors)
        for axis, factors in enumerate(layout.axes)
        if keepdim or axis not in axes
    ]
    return AxisLayout(tuple(layout.sizes[f] for f in remaining), tuple(axes_after))


def joined(plan: LayoutAssignment, node: Node) -> Laid | None:
    """Plan a `cat`.

    The axis that grows is one stretch of memory in each operand, at the same place.
    """
    read = operand_list(node)
    axis = integer(node, "dim") % len(shape(node))
    laid = [plan.gathered(plan.of(one), axis, node) for one in read]
    others = _common_parts(laid, axis, shape(node))
    if others is None:
        return None
    own = [_with_part(others, axis, shape(one)[axis]) for one in read]
    order = _order(plan, laid, own, numbered(own[0])[axis][0])
    arranged = [
        plan.arranged(one, parts, restricted(order, one.layout, parts), node)
        for one, parts in zip(laid, own, strict=True)
    ]
    whole = _with_part(others, axis, shape(node)[axis])
    whole_layout = laid_in(order, whole)
    grown = numbered(whole)[axis][0]
    shaped = [(source.shape, parts) for source, parts in zip(arranged, own, strict=True)]
    dims = _dims(
        order,
        [(whole_layout.shape, whole), *shaped] if whole_layout.is_plain else shaped,
        shaped,
        grown,
    )
    sources = [
        plan.workshop.reshaped(source, _sizes(dims, parts), node)
        for source, parts in zip(arranged, own, strict=True)
    ]
    call = NewCall(node, node.target, (sources, dims.index([grown])), {}, _sizes(dims, whole))
    return Laid(call, whole_layout)


def _common_parts(laid: Sequence[Laid], axis: int, sizes: Sequence[int]) -> Parts | None:
    """Return the common parts of all axes but the one that the operands differ in."""
    others = [
        AxisLayout(one.layout.sizes, (*one.layout.axes[:axis], (), *one.layout.axes[axis + 1 :]))
        for one in laid
    ]
    return common_parts(others, [1 if k == axis else size for k, size in enumerate(sizes)])


def _with_part(parts: Parts, axis: int, size: int) -> Parts:
    return (*parts[:axis], (size,), *parts[axis + 1 :])


def _order(plan: LayoutAssignment, laid: Sequence[Laid], own: Sequence[Parts], grown: int) -> Order:
    """Choose the order of the result.

    It is that of the operand to which the others can be brought with the fewest copies.
    """
    lies = [order_in(one.layout, parts) for one, parts in zip(laid, own, strict=True)]
    orders = [order for order in lies if grown in order] or [_inserted(lies[0], grown)]

    def copies(order: Order) -> tuple[int, int]:
        permutes = sum(
            not plan.is_free(one, parts, restricted(order, one.layout, parts))
            for one, parts in zip(laid, own, strict=True)
        )
        return permutes, orders.index(order)

    return min(orders, key=copies)


def _inserted(order: Order, grown: int) -> Order:
    """Insert the grown part before the first part of a later axis."""
    place = next((k for k, part in enumerate(order) if part > grown), len(order))
    return (*order[:place], grown, *order[place:])


Shaped = tuple[tuple[int, ...], Parts]  # sizes, and their parts


def _dims(
    order: Order, likely: Sequence[Shaped], shaped: Sequence[Shaped], grown: int
) -> list[list[int]]:
    """Group parts into axes, as in the likely shape that most operands already have."""
    place = order.index(grown)
    ways = [four([list(order[:place]), [grown], list(order[place + 1 :])])]
    for sizes, parts in likely:
        flat = [size for axis in parts for size in axis]
        stretches = runs(order, flat, sizes) if flat[grown] > 1 else None
        if stretches is not None and [grown] in stretches:
            ways.insert(-1, stretches)
    return min(ways, key=lambda dims: sum(_sizes(dims, parts) != sizes for sizes, parts in shaped))


def _sizes(dims: Sequence[Sequence[int]], parts: Parts) -> tuple[int, ...]:
    flat = [size for axis in parts for size in axis]
    return tuple(prod(flat[part] for part in run) for run in dims)


def padded(plan: LayoutAssignment, node: Node) -> Laid | None:
    """Plan a pad with a constant, along axes that are one stretch of memory each."""
    if has_argument(node, "mode") and argument(node, "mode") != "constant":
        return None
    laid, rank, pad = plan.of(operand(node)), len(shape(node)), list(argument(node, "pad"))
    sides = {rank - 1 - k: tuple(pad[2 * k : 2 * k + 2]) for k in range(len(pad) // 2)}
    sides = {axis: both for axis, both in sides.items() if any(both)}
    layout = laid.layout.merged()
    if any(len(layout.axes[axis]) != 1 for axis in sides):
        return None
    grown = {layout.axes[axis][0]: axis for axis in sides}
    groups = [list(run) for _, run in groupby(range(len(layout.sizes)), lambda f: grown.get(f, -1))]
    groups = [[f] for run in groups for f in run] if len(groups) < 3 else groups
    source = plan.workshop.reshaped(
        laid.source, [prod(layout.sizes[f] for f in g) for g in groups], node
    )
    flat = [n for g in reversed(groups) for n in sides.get(grown.get(g[0], -1), (0, 0))]
    for axis in sides:
        layout = layout.resized(layout.axes[axis], axis, shape(node)[axis])
    sizes = tuple(prod(layout.sizes[f] for f in g) for g in groups)
    value = argument(node, "value") or 0.0
    return Laid(
        NewCall(node, aten.constant_pad_nd.default, (source, flat, value), {}, sizes), layout
    )
