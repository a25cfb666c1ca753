"""Calls that only pick, put together or rearrange values. Most of them cost nothing: the layout changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, kind, operand
from edgevit.graph.program import shape
from edgevit.integer.graph import Value
from edgevit.integer.lowering.builder import Builder, QuantTensor
from edgevit.integer.lowering.context import PLACES, Context, NotLoweredError
from edgevit.integer.lowering.layout import TensorLayout, aligned
from edgevit.integer.lowering.relayout import exposed, in_memory, in_one, one_piece
from edgevit.integer.ops.moves import Concat, Pad, Slice, Upsample
from edgevit.quantize import Grid, pad_value
from edgevit.rewrites.layout.name_views import permutation_of


def same(node: Node, context: Context) -> QuantTensor:
    return context.value_of(operand(node))


def reshape(node: Node, context: Context) -> QuantTensor:
    return reshaped(context.value_of(operand(node)), shape(node), context)


def reshaped(tensor: QuantTensor, sizes: Sequence[int], context: Context) -> QuantTensor:
    layout = tensor.layout.reshaped(sizes)
    if layout is None:  # in torch's order everything is one axis
        tensor = in_one(tensor, context.builder)
        whole = TensorLayout.plain((prod(sizes),))
        layout = whole.reshaped(sizes)
        assert layout is not None
    return replace(tensor, layout=layout)


def permute(node: Node, context: Context) -> QuantTensor:
    tensor = context.value_of(operand(node))
    return replace(tensor, layout=tensor.layout.permuted(permutation_of(node)))


def pixel_shuffle(node: Node, context: Context) -> QuantTensor:
    """Import a pixel (un)shuffle: c r r x h x w -> c x h r x w r, or back."""
    tensor = context.value_of(operand(node))
    if kind(node) == "pixel_shuffle":
        r = argument(node, "upscale_factor")
        n, c, h, w = tensor.shape
        apart, order = (n, c // r**2, r, r, h, w), (0, 1, 4, 2, 5, 3)
    else:
        r = argument(node, "downscale_factor")
        n, c, h, w = tensor.shape
        apart, order = (n, c, h // r, r, w // r, r), (0, 1, 3, 5, 2, 4)
    return _through(tensor, apart, order, shape(node), context)


def channel_shuffle(node: Node, context: Context) -> QuantTensor:
    tensor, groups = context.value_of(operand(node)), argument(node, "groups")
    n, c, *rest = tensor.shape
    order = (0, 2, 1, *range(3, 3 + len(rest)))
    return _through(tensor, (n, groups, c // groups, *rest), order, shape(node), context)


def _through(
    tensor: QuantTensor,
    apart: Sequence[int],
    order: Sequence[int],
    sizes: Sequence[int],
    context: Context,
) -> QuantTensor:
    split = reshaped(tensor, apart, context)
    turned = replace(split, layout=split.layout.permuted(order))
    return reshaped(turned, sizes, context)


def slice_(node: Node, context: Context) -> QuantTensor:
    tensor = context.value_of(operand(node))
    axis = integer(node, "dim") % tensor.layout.rank
    start, step = argument(node, "start") or 0, argument(node, "step")
    size = tensor.shape[axis]
    start = min(max(start + size if start < 0 else start, 0), size)
    return cut(tensor, axis, start, shape(node)[axis], step, node.name, context)


def cut(
    tensor: QuantTensor, axis: int, start: int, count: int, step: int, stem: str, context: Context
) -> QuantTensor:
    if count == tensor.shape[axis]:
        return tensor
    if count == 0:
        raise NotLoweredError("nothing is left of it")
    tensor = one_piece(tensor, axis, context.builder)
    value, place = exposed(tensor, axis, context.builder)
    sizes = list(value.shape)
    sizes[place] = count
    output = context.builder.like(value, stem, sizes)
    result = context.builder.add(Slice((value,), output, place, start, step))
    return replace(tensor, value=result, layout=tensor.layout.resized(axis, count))


def pad(node: Node, context: Context) -> QuantTensor:
    """Import a pad with one number, which crops where a side is negative."""
    tensor = context.int8_value(operand(node))
    number = pad_value(node)
    if number is None:
        raise NotLoweredError("it pads with other values of the image")
    grid = tensor.grid if number == 0 else context.grids.of(node)
    tensor = context.requantized(tensor, grid)
    sides = list(argument(node, "pad"))
    for index in range(0, len(sides), 2):
        axis = tensor.layout.rank - 1 - index // 2
        before, after = sides[index : index + 2]
        count = tensor.shape[axis] + min(before, 0) + min(after, 0)
        tensor = cut(tensor, axis, max(-before, 0), count, 1, f"{node.name}.cropped", context)
    wider = {
        tensor.layout.rank - 1 - i // 2: (max(sides[i], 0), max(sides[i + 1], 0))
        for i in range(0, len(sides), 2)
    }
    return _padded(
        node, tensor, {axis: side for axis, side in wider.items() if any(side)}, number, context
    )


def _padded(
    node: Node,
    tensor: QuantTensor,
    sides: dict[int, tuple[int, int]],
    number: float,
    context: Context,
) -> QuantTensor:
    if not sides:
        return tensor
    for axis in sides:
        if tensor.shape[axis] == 1:
            tensor = replace(tensor, layout=_with_place(tensor.layout, axis))
        else:
            tensor = one_piece(tensor, axis, context.builder)
    layout = tensor.layout
    value = context.builder.shaped(tensor.value, layout.sizes)
    around = [(0, 0)] * len(layout.sizes)
    for axis, side in sides.items():
        around[layout.axes[axis][0]] = side
    sizes = [size + sum(side) for size, side in zip(layout.sizes, around, strict=True)]
    output = context.builder.like(value, node.name, sizes)
    filled = int(tensor.grid.quantized(np.array(number)))
    result = context.builder.add(Pad((value,), output, tuple(around), filled))
    return replace(tensor, value=result, layout=TensorLayout(tuple(sizes), layout.axes))


def _with_place(layout: TensorLayout, axis: int) -> TensorLayout:
    """Give a torch axis of one element a place in memory, so that it can grow."""
    place = _home(layout, axis)
    sizes = (*layout.sizes[:place], 1, *layout.sizes[place:])
    axes = [tuple(p + (p >= place) for p in places) for places in layout.axes]
    axes[axis] = (place,)
    return TensorLayout(sizes, tuple(axes))


def _home(layout: TensorLayout, axis: int) -> int:
    """Return the place for an axis that has none.

    Channels of images go last, others before the axes behind them.
    """
    if layout.rank == 4 and axis == 1:
        return len(layout.sizes)
    behind = [place for places in layout.axes[axis + 1 :] for place in places]
    return min(behind, default=len(layout.sizes))


def spread(tensor: QuantTensor, sizes: Sequence[int], context: Context) -> QuantTensor:
    """Broadcast axes of one element to `sizes`."""
    tensor = reshaped(tensor, [1] * (len(sizes) - tensor.layout.rank) + list(tensor.shape), context)
    for axis, size in enumerate(sizes):
        if tensor.shape[axis] == size:
            continue
        layout = _with_place(tensor.layout, axis)
        (place,) = layout.axes[axis]
        outer, inner = prod(layout.sizes[:place]), prod(layout.sizes[place:])
        value = context.builder.shaped(tensor.value, (outer, 1, inner))
        output = context.builder.like(value, f"{value.name}.spread", (outer, size, inner))
        result = context.builder.add(Upsample((value,), output, (1, size)))
        grown = (*layout.sizes[:place], size, *layout.sizes[place + 1 :])
        tensor = replace(tensor, value=result, layout=TensorLayout(grown, layout.axes))
    return tensor


def expand(node: Node, context: Context) -> QuantTensor:
    source = operand(node)
    tensor = context.int8_value(source) if context.is_real(node) else context.value_of(source)
    return spread(tensor, shape(node), context)


def concatenation(node: Node, context: Context) -> QuantTensor:
    """Import a concatenation, every part on the grid of the whole."""
    axis = integer(node, "dim") % len(shape(node))
    grid = context.stored_grid(node)
    return joined(
        [_part(read, grid, context) for read in argument(node, "tensors")], axis, node.name, context
    )


def stack(node: Node, context: Context) -> QuantTensor:
    axis = integer(node, "dim") % len(shape(node))
    grid = context.grids.of(node) if context.is_real(node) else PLACES
    parts = [_part(read, grid, context) for read in argument(node, "tensors")]
    sizes = [*parts[0].shape[:axis], 1, *parts[0].shape[axis:]]
    return joined([reshaped(part, sizes, context) for part in parts], axis, node.name, context)


def _part(read: Node, grid: Grid, context: Context) -> QuantTensor:
    array = context.constant(read)
    if array is not None:
        return context.constant_tensor(array, read.name, grid, shape(read))
    return context.requantized(context.value_of(read), grid)


def joined(parts: Sequence[QuantTensor], axis: int, stem: str, context: Context) -> QuantTensor:
    """Concatenate values on one grid, laid out as the largest of those in the order of their torch
    axes.
    """
    if len(parts) == 1:
        return parts[0]
    builder = context.builder
    model = max(parts, key=lambda part: _weight(part, axis))
    layout = one_piece(model, axis, builder).layout if model.shape[axis] > 1 else model.layout
    for part in parts:
        layout = _cut_alike(part, layout, axis, builder)[1]
    if model.shape[axis] == 1:
        layout = _with_place(layout, axis)
    values = [_beside(part, layout, axis, builder) for part in parts]
    (place,) = layout.axes[axis]
    total = sum(part.shape[axis] for part in parts)
    sizes = (*layout.sizes[:place], total, *layout.sizes[place + 1 :])
    output = builder.like(values[0], stem, sizes)
    result = builder.add(Concat(tuple(values), output, place))
    return QuantTensor(result, TensorLayout(sizes, layout.axes))


def _weight(tensor: QuantTensor, axis: int) -> tuple[bool, bool, int]:
    return tensor.shape[axis] > 1, tensor.layout.is_natural, prod(tensor.shape)


def _cut_alike(
    part: QuantTensor, layout: TensorLayout, axis: int, builder: Builder
) -> tuple[QuantTensor, TensorLayout]:
    pairs = [(other, other) for other in range(layout.rank) if other != axis]
    layouts = aligned(part.layout, layout, pairs)
    if layouts is None:
        return _cut_alike(in_one(part, builder), layout, axis, builder)
    return replace(part, layout=layouts[0]), layouts[1]


def _beside(part: QuantTensor, layout: TensorLayout, axis: int, builder: Builder) -> Value:
    """Reorder one part to the memory order of `layout`; sizes differ along `axis` only."""
    own, _ = _cut_alike(part, layout.resized(axis, 1), axis, builder)
    there = [place for other, places in enumerate(layout.axes) if other != axis for place in places]
    mine = [
        place for other, places in enumerate(own.layout.axes) if other != axis for place in places
    ]
    own_place = dict(zip(there, mine, strict=True))
    (place,) = layout.axes[axis]
    order = [
        its
        for place_there in range(len(layout.sizes))
        for its in (own.layout.axes[axis] if place_there == place else [own_place[place_there]])
    ]
    moved = in_memory(own, order, builder)
    sizes = [*layout.sizes[:place], part.shape[axis], *layout.sizes[place + 1 :]]
    return builder.shaped(moved.value, sizes)
