"""Pools, means and sums over axes, nearest upsampling."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, per_dimension
from edgevit.graph.program import shape
from edgevit.graph.window import Window
from edgevit.integer.graph import Value
from edgevit.integer.lowering.builder import Held
from edgevit.integer.lowering.context import Context, Unsupported
from edgevit.integer.lowering.importers.images import each_image
from edgevit.integer.lowering.importers.products import over_axis, over_axis_on
from edgevit.integer.lowering.layout import Layout
from edgevit.integer.lowering.parameters import Weights, scaled
from edgevit.integer.lowering.relayout import in_memory
from edgevit.integer.ops.moves import Upsample
from edgevit.integer.ops.windows import AveragePool, MaxPool
from edgevit.quantize.encoding import Grid
from edgevit.quantize.input_covariance import window_along


def max_pool(node: Node, context: Context) -> Held:
    if argument(node, "ceil_mode"):
        raise Unsupported("its last windows reach over the edge")
    source = context.narrow(operand(node))
    window = _pool_window(node)

    def work(image: Value, stem: str) -> Value:
        size = (*window.output(*image.shape[:2]), image.shape[2])
        output = context.builder.like(image, stem, size)
        return context.builder.add(MaxPool((image,), output, window))

    return replace(each_image(node, source, context, work), factor=source.factor)


def average_pool(node: Node, context: Context) -> Held:
    window = _pool_window(node)
    if argument(node, "ceil_mode"):
        raise Unsupported("its last windows reach over the edge")
    if any(window.padding) and not argument(node, "count_include_pad"):
        raise Unsupported("its windows at the border are smaller")
    override = argument(node, "divisor_override") if kind(node) == "avg_pool2d" else None
    return _averaged(node, window, override or prod(window.size), context)


def adaptive_average_pool(node: Node, context: Context) -> Held:
    before, after = shape(operand(node))[2:], shape(node)[2:]
    if any(a % b for a, b in zip(before, after, strict=True)):
        raise Unsupported("its windows are of different sizes")
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


def _averaged(node: Node, window: Window, divisor: float, context: Context) -> Held:
    source = context.narrow(operand(node))
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
    found = scaled(source.scale / divisor, grid, bias=-taps * source.zero)
    size = (*window.output(*image.shape[:2]), image.shape[2])
    output = context.builder.value(stem, size, found.grid)
    made = AveragePool((image,), output, window, found.bias, found.multiplier, source.zero)
    return context.builder.add(made)


def reduction(node: Node, context: Context) -> Held:
    """Import a mean or a sum over any axes."""
    source = context.narrow(operand(node))
    rank = source.layout.rank
    given = argument(node, "dim")
    axes = sorted(
        {axis % rank for axis in ([given] if isinstance(given, int) else given or range(rank))}
    )
    count = prod(source.shape[axis] for axis in axes)
    divisor = count if kind(node) == "mean" else 1
    if _is_last(source, axes) and len(axes) == 1:
        ones = Weights(np.full((1, count), 1 / divisor), np.zeros(1))
        made = over_axis(node, source, axes[0], ones, context)
    else:
        made = _over(node, source, axes, count, divisor, context)
    layout = made.layout.reshaped(shape(node))
    assert layout is not None
    return replace(made, layout=layout)


def _is_last(source: Held, axes: list[int]) -> bool:
    """Check that memory ends in a reduced axis.

    The reduction is then a product with a row of ones.
    """
    reduced = {place for axis in axes for place in source.layout.axes[axis]}
    return len(source.layout.sizes) - 1 in reduced and len(reduced) < len(source.layout.sizes)


def _over(
    node: Node, source: Held, axes: list[int], count: int, divisor: float, context: Context
) -> Held:
    """Reduce by a pool whose window covers all of the reduced axes."""
    builder = context.builder
    reduced = sorted(place for axis in axes for place in source.layout.axes[axis])
    kept = [place for place in range(len(source.layout.sizes)) if place not in reduced]
    moved = in_memory(source, [*reduced, *kept], builder)
    rest = prod(source.shape) // count
    image = builder.shaped(moved.value, (count, 1, rest))
    window = Window((count, 1))
    made = averaged(image, node.name, source.grid, window, divisor, context.grids.of(node), context)
    number = {place: index for index, place in enumerate(kept)}
    sizes = tuple(source.layout.sizes[place] for place in kept)
    places = tuple(
        () if axis in axes else tuple(number[place] for place in held)
        for axis, held in enumerate(source.layout.axes)
    )
    return Held(made, Layout(sizes, places))


def upsample(node: Node, context: Context) -> Held:
    source = context.narrow(operand(node))
    before, after = shape(operand(node))[2:], shape(node)[2:]
    if len(before) != 2 or any(b % a for a, b in zip(before, after, strict=True)):
        raise Unsupported("an image is not repeated a whole number of times")
    factor = (after[0] // before[0], after[1] // before[1])

    def work(image: Value, stem: str) -> Value:
        size = (image.shape[0] * factor[0], image.shape[1] * factor[1], image.shape[2])
        output = context.builder.like(image, stem, size)
        return context.builder.add(Upsample((image,), output, factor))

    return replace(each_image(node, source, context, work), factor=source.factor)


def bilinear(node: Node, context: Context) -> Held:
    """Resize rows, then columns, by a matrix each.

    Interpolated values are no larger than the pixels: the grid can stay.
    """
    held = context.narrow(operand(node))
    corners = argument(node, "align_corners")
    if held.layout.rank != 4:
        raise Unsupported("only images are resized")
    for axis in (2, 3):
        before, after = shape(operand(node))[axis], shape(node)[axis]
        if before == after:
            continue
        eye = torch.eye(before, dtype=torch.float64)[None]
        matrix = torch.ops.aten.upsample_linear1d(eye, [after], corners)[0].T.numpy()
        grid = held.grid if axis == 2 else context.grids.of(node)
        weights = Weights(matrix, np.zeros(after))
        held = over_axis_on(f"{node.name}.{axis}", held, axis, weights, grid, context)
    return held
