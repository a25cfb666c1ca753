"""Pools, means and sums over axes, nearest upsampling."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, operand, per_dimension
from edgevit.graph.program import shape
from edgevit.graph.window import Window
from edgevit.integer.graph import Value
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import Context, NotLoweredError
from edgevit.integer.lowering.importers.images import each_image
from edgevit.integer.lowering.importers.products import over_axis, over_axis_on
from edgevit.integer.lowering.layout import TensorLayout
from edgevit.integer.lowering.parameters import Weights, scaled
from edgevit.integer.lowering.relayout import in_memory
from edgevit.integer.ops.moves import Upsample
from edgevit.integer.ops.windows import AveragePool, MaxPool
from edgevit.quantize import Grid, window_along


def max_pool(node: Node, context: Context) -> QuantTensor:
    if argument(node, "ceil_mode"):
        raise NotLoweredError("its last windows reach over the edge")
    source = context.int8_value(operand(node))
    window = _pool_window(node)

    def work(image: Value, stem: str) -> Value:
        size = (*window.output(*image.shape[:2]), image.shape[2])
        output = context.builder.like(image, stem, size)
        return context.builder.add(MaxPool((image,), output, window))

    return replace(each_image(node, source, context, work), factor=source.factor)


def average_pool(node: Node, context: Context) -> QuantTensor:
    window = _pool_window(node)
    if argument(node, "ceil_mode"):
        raise NotLoweredError("its last windows reach over the edge")
    if any(window.padding) and not argument(node, "count_include_pad"):
        raise NotLoweredError("its windows at the border are smaller")
    override = argument(node, "divisor_override") if kind(node) == "avg_pool2d" else None
    return _averaged(node, window, override or prod(window.size), context)


def adaptive_average_pool(node: Node, context: Context) -> QuantTensor:
    before, after = shape(operand(node))[2:], shape(node)[2:]
    if any(a % b for a, b in zip(before, after, strict=True)):
        raise NotLoweredError("its windows are of different sizes")
    size = tuple(a // b for a, b in zip(before, after, strict=True))
    none = (0,) * len(size)
    window = window_along(size, size, (none, none), (1,) * len(size))
    return _averaged(node, window, prod(size), context)


def _pool_window(node: Node) -> Window:
    """Return the window of a pool. The stride defaults to the kernel size."""
    dims = 1 if kind(node).endswith("1d") else 2
    size = per_dimension(argument(node, "kernel_size"), dims)
    stride = per_dimension(argument(node, "stride") or list(size), dims)
    padding = per_dimension(argument(node, "padding"), dims)
    dilation = (
        per_dimension(argument(node, "dilation"), dims) if "max" in kind(node) else (1,) * dims
    )
    return window_along(size, stride, (padding, padding), dilation)


def _averaged(node: Node, window: Window, divisor: float, context: Context) -> QuantTensor:
    source = context.int8_value(operand(node))
    if window == Window((1, 1)) and divisor == 1:
        return source

    def work(image: Value, stem: str) -> Value:
        return averaged(image, stem, source.grid, window, divisor, context.grids.of(node), context)

    return each_image(node, source, context, work)


def averaged(
    image: Value,
    stem: str,
    source: Grid,
    window: Window,
    divisor: float,
    grid: Grid,
    context: Context,
) -> Value:
    taps = prod(window.size)
    parameters = scaled(source.scale / divisor, grid, bias=-taps * source.zero)
    size = (*window.output(*image.shape[:2]), image.shape[2])
    output = context.builder.value(stem, size, parameters.grid)
    op = AveragePool((image,), output, window, parameters.bias, parameters.multiplier, source.zero)
    return context.builder.add(op)


def reduction(node: Node, context: Context) -> QuantTensor:
    """Import a mean or a sum over any axes."""
    source = context.int8_value(operand(node))
    rank = source.layout.rank
    dims = argument(node, "dim") if has_argument(node, "dim") else None
    axes = sorted(
        {axis % rank for axis in ([dims] if isinstance(dims, int) else dims or range(rank))}
    )
    count = prod(source.shape[axis] for axis in axes)
    divisor = count if kind(node) == "mean" else 1
    if _is_last(source, axes) and len(axes) == 1:
        ones = Weights(np.full((1, count), 1 / divisor), np.zeros(1))
        result = over_axis(node, source, axes[0], ones, context)
    else:
        result = _over(node, source, axes, count, divisor, context)
    layout = result.layout.reshaped(shape(node))
    assert layout is not None
    return replace(result, layout=layout)


def _is_last(source: QuantTensor, axes: list[int]) -> bool:
    """Check that memory ends in a reduced axis.

    The reduction is then a product with a row of ones.
    """
    reduced = {place for axis in axes for place in source.layout.axes[axis]}
    return len(source.layout.sizes) - 1 in reduced and len(reduced) < len(source.layout.sizes)


def _over(
    node: Node, source: QuantTensor, axes: list[int], count: int, divisor: float, context: Context
) -> QuantTensor:
    """Reduce by a pool whose window covers all of the reduced axes."""
    builder = context.builder
    reduced = sorted(place for axis in axes for place in source.layout.axes[axis])
    remaining = [place for place in range(len(source.layout.sizes)) if place not in reduced]
    moved = in_memory(source, [*reduced, *remaining], builder)
    rest = prod(source.shape) // count
    image = builder.shaped(moved.value, (count, 1, rest))
    window = Window((count, 1))
    result = averaged(
        image, node.name, source.grid, window, divisor, context.grids.of(node), context
    )
    number = {place: index for index, place in enumerate(remaining)}
    sizes = tuple(source.layout.sizes[place] for place in remaining)
    places = tuple(
        () if axis in axes else tuple(number[place] for place in own)
        for axis, own in enumerate(source.layout.axes)
    )
    return QuantTensor(result, TensorLayout(sizes, places))


def upsample(node: Node, context: Context) -> QuantTensor:
    source = context.int8_value(operand(node))
    before, after = shape(operand(node))[2:], shape(node)[2:]
    if len(before) != 2 or any(b % a for a, b in zip(before, after, strict=True)):
        raise NotLoweredError("an image is not repeated a whole number of times")
    factor = (after[0] // before[0], after[1] // before[1])

    def work(image: Value, stem: str) -> Value:
        size = (image.shape[0] * factor[0], image.shape[1] * factor[1], image.shape[2])
        output = context.builder.like(image, stem, size)
        return context.builder.add(Upsample((image,), output, factor))

    return replace(each_image(node, source, context, work), factor=source.factor)


def bilinear(node: Node, context: Context) -> QuantTensor:
    """Resize rows, then columns, by a matrix each.

    Interpolated values are no larger than the pixels: the grid can stay.
    """
    tensor = context.int8_value(operand(node))
    corners = argument(node, "align_corners")
    if tensor.layout.rank != 4:
        raise NotLoweredError("only images are resized")
    for axis in (2, 3):
        before, after = shape(operand(node))[axis], shape(node)[axis]
        if before == after:
            continue
        eye = torch.eye(before, dtype=torch.float64)[None]
        matrix = torch.ops.aten.upsample_linear1d(eye, [after], corners)[0].T.numpy()
        grid = tensor.grid if axis == 2 else context.grids.of(node)
        weights = Weights(matrix, np.zeros(after))
        tensor = over_axis_on(f"{node.name}.{axis}", tensor, axis, weights, grid, context)
    return tensor
