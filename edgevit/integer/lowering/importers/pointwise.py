"""Functions of one value, and sums and products of two."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind
from edgevit.graph.program import shape
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import Context, NotLoweredError
from edgevit.integer.lowering.importers.affine import per_channel
from edgevit.integer.lowering.importers.moves import spread
from edgevit.integer.lowering.parameters import (
    fitting_sum,
    narrow_sum,
    scaled,
    table,
    wide_sum_if_it_fits,
)
from edgevit.integer.lowering.relayout import alike, both_alike, in_one, with_last
from edgevit.integer.ops.pointwise import Add, AddWide, Curve, Multiply
from edgevit.quantize import Grid, asymmetric, bounds, sources, wide

_SUMS = frozenset({"add", "sub"})
_SAME = 1e-12  # relative; of factors that are one


def function(node: Node, context: Context) -> QuantTensor:
    """Import an elementwise function of one value, as a table. A positive factor needs none."""
    root = context.plan.regions.root[node]
    if not context.is_real(node):
        raise NotLoweredError("what reads it is no function of the same value alone")
    if context.deep_value(root) is not None or context.plan.is_wide(node):
        return context.as_stored(_curve(node, _narrowed(root, context), context), node)
    if (scaled_sum := _factor_of_sum(node, root, context)) is not None:
        return scaled_sum
    source = context.int8_value(root)
    points = source.grid.points()
    compute = context.plan.regions.function(node, context.overrides, source.grid.scale)
    results = compute(points)
    factor = _factor(points, results)
    if factor is not None and bounds(node) is None:
        return replace(source, factor=source.factor * factor)
    grid = context.grids.of(node)
    return context.lookup(source, table(results, grid), grid, node.name, kind(node))


def _factor_of_sum(node: Node, root: Node, context: Context) -> QuantTensor | None:
    """Import a factor of 16 bits that only sums of 16 bits read: it takes no operation and no rounding."""
    source = context.tensors.get(root)
    reads_wide = all(kind(user) in _SUMS and context.plan.is_wide(user) for user in node.users)
    if source is None or source.value.dtype != "int16" or not reads_wide:
        return None
    points = source.grid.scale * np.arange(-128, 129)
    compute = context.plan.regions.function(node, context.overrides, source.grid.scale)
    factor = _factor(points, compute(points))
    return None if factor is None else replace(source, factor=source.factor * factor)


def _narrowed(root: Node, context: Context) -> QuantTensor:
    """Return 16 bits of what a function reads, on a grid no wider than where it is not flat."""
    source = context.int16_value(root)
    if context.deep_value(root) is None:
        return source
    grid = context.grids.wide(root)
    return context.requantized(source, grid) if source.grid.scale > grid.scale else source


def _curve(node: Node, source: QuantTensor, context: Context) -> QuantTensor:
    """Import a function of 16 bits, with 16 of the result."""
    points = source.grid.scale * np.arange(-(2**15), 2**15 + 1, 128)
    compute = context.plan.regions.function(node, context.overrides, source.grid.scale)
    grid = context.grids.wide(node)
    output = context.builder.value(node.name, source.value.shape, grid)
    op = Curve((source.value,), output, table(compute(points), grid), kind(node))
    return QuantTensor(context.builder.add(op), source.layout)


def _factor(points: np.ndarray, results: np.ndarray) -> float | None:
    there = points != 0
    ratios = results[there] / points[there]
    if np.any(results[~there]) or not np.all(ratios > 0):
        return None
    return float(ratios[0]) if np.allclose(ratios, ratios[0], rtol=_SAME, atol=0) else None


def clamp(node: Node, context: Context) -> QuantTensor:
    """Import a clamp. Nothing is added where the grid of the producer ends at the bounds."""
    (read,) = sources(node, context.program)
    source, limits = context.int8_value(read), bounds(node)
    assert limits is not None
    grid = context.grids.of(node)
    if source.grid == grid and grid.within(*limits):
        return source
    points = np.clip(source.grid.points(), *limits)
    return context.lookup(source, table(points, grid), grid, node.name, kind(node))


def addition(node: Node, context: Context) -> QuantTensor:
    """Import a sum of two values, or of a value and a constant."""
    sign = -1 if kind(node) == "sub" else 1
    if has_argument(node, "alpha") and argument(node, "alpha") != 1:
        raise NotLoweredError("its second term has a factor")
    constants = [context.constant(term) for term in node.args[:2]]
    if constants[0] is None and constants[1] is None:
        left, right = (_spread_to(context.value_of(term), node, context) for term in _nodes(node))
        return _sum(node, *both_alike(left, right, context.builder), sign, context)
    place = 0 if constants[0] is not None else 1
    array, other = constants[place], _nodes(node)[1 - place]
    assert array is not None
    tensor = _spread_to(context.value_of(other), node, context)
    axis = _only_axis(array, tensor.shape)
    if axis is not None and not context.plan.is_wide(node):
        array, factor = (sign * array, 1.0) if place else (array, float(sign))
        ones = np.full(tensor.shape[axis], factor)
        narrow = context.as_int8(tensor, other)
        return per_channel(node, narrow, axis, ones, array.ravel(), context)
    return _with_constant(node, tensor, array, place, sign, context)


def _nodes(node: Node) -> list[Node]:
    nodes = [term for term in node.args[:2] if isinstance(term, Node)]
    if len(nodes) < 2:
        raise NotLoweredError("one of its terms is a number")
    return nodes


def _with_constant(
    node: Node, tensor: QuantTensor, array: np.ndarray, place: int, sign: int, context: Context
) -> QuantTensor:
    low, high = float(array.min()), float(array.max())
    if context.plan.is_wide(node):
        grid = asymmetric(low, high) if tensor.value.dtype == "int16" else wide(low, high)
    else:
        tensor = context.as_int8(tensor, _nodes(node)[1 - place])
        # values beyond these saturate alike: a mask of -inf, for one
        y = context.grids.of(node)
        reach = max(y.high - y.low, tensor.grid.high - tensor.grid.low)
        array = np.clip(array, -2 * reach, 2 * reach)
        grid = asymmetric(float(array.min()), float(array.max()))
    term = context.constant_tensor(array, f"{node.name}.constant", grid, tensor.shape)
    term = alike(term, tensor, context.builder)
    left, right = (tensor, term) if place else (term, tensor)
    return _sum(node, left, right, sign, context)


def _only_axis(array: np.ndarray, shape: tuple[int, ...]) -> int | None:
    """Return the one axis that the array has more than one element along."""
    sizes = (1,) * (len(shape) - array.ndim) + array.shape
    axes = [axis for axis, size in enumerate(sizes) if size > 1]
    return axes[0] if len(axes) == 1 and prod(shape) > shape[axes[0]] else None


def _spread_to(tensor: QuantTensor, node: Node, context: Context) -> QuantTensor:
    return tensor if tensor.shape == shape(node) else spread(tensor, shape(node), context)


def _sum(
    node: Node, left: QuantTensor, right: QuantTensor, sign: int, context: Context
) -> QuantTensor:
    """Add two values with the same layout."""
    if context.plan.is_wide(node):
        return _wide_sum(node, left, right, sign, context)
    left, right = (context.as_int8(h, n) for h, n in zip((left, right), _nodes(node), strict=True))
    y = context.grids.of(node)
    y, parameters = fitting_sum(narrow_sum, left.grid, right.grid, y, sign)
    output = context.builder.value(node.name, left.value.shape, y)
    numbers = (parameters.left, parameters.right, parameters.offset, parameters.shift)
    result = context.builder.add(Add((left.value, right.value), output, *numbers))
    return QuantTensor(result, left.layout)


def _wide_sum(
    node: Node, left: QuantTensor, right: QuantTensor, sign: int, context: Context
) -> QuantTensor:
    if left.value.dtype == "int8" and right.value.dtype == "int16" and sign > 0:
        left, right = right, left
    if left.value.dtype == "int8":
        left = context.requantized(left, Grid(left.grid.scale / 128, 0, "int16"))
    y = context.grids.stored(node)
    y, parameters = fitting_sum(wide_sum_if_it_fits, left.grid, right.grid, y, sign)
    output = context.builder.value(node.name, left.value.shape, y)
    right_value = context.builder.shaped(right.value, left.value.shape)
    numbers = (parameters.left, parameters.right, parameters.offset, parameters.shift)
    result = context.builder.add(AddWide((left.value, right_value), output, *numbers))
    return QuantTensor(result, left.layout)


def multiplication(node: Node, context: Context) -> QuantTensor:
    left, right = node.args[:2]
    for term, other in ((right, left), (left, right)):
        constant = context.constant(term)
        if constant is not None:
            return _times_constant(node, context.int8_value(other), constant, context)
    a, b = (context.int8_value(term) for term in _nodes(node))
    if prod(a.shape) < prod(b.shape):
        a, b = b, a
    a = _spread_to(a, node, context)
    axis = _row_axis(b, a.shape)
    if axis is not None:
        a = with_last(a, [axis], context.builder)
        row = (*(1 for _ in a.value.shape[:-1]), a.shape[axis])
        b = in_one(b, context.builder)
        return _product(node, a, replace(b, value=context.builder.shaped(b.value, row)), context)
    return _product(node, *both_alike(a, _spread_to(b, node, context), context.builder), context)


def _row_axis(tensor: QuantTensor, shape: tuple[int, ...]) -> int | None:
    """Return the axis of `shape` that a tensor of one row runs along."""
    sizes = (1,) * (len(shape) - len(tensor.shape)) + tensor.shape
    axes = [axis for axis, size in enumerate(sizes) if size > 1]
    return axes[0] if len(axes) == 1 and sizes[axes[0]] == shape[axes[0]] else None


def _times_constant(
    node: Node, tensor: QuantTensor, constant: np.ndarray, context: Context
) -> QuantTensor:
    tensor = _spread_to(tensor, node, context)
    axis = _only_axis(constant, tensor.shape)
    if axis is not None:
        return per_channel(
            node, tensor, axis, constant.ravel(), np.zeros(tensor.shape[axis]), context
        )
    grid = asymmetric(float(constant.min()), float(constant.max()))
    term = context.constant_tensor(constant, f"{node.name}.constant", grid, tensor.shape)
    return _product(node, tensor, alike(term, tensor, context.builder), context)


def _product(node: Node, a: QuantTensor, b: QuantTensor, context: Context) -> QuantTensor:
    parameters = scaled(a.grid.scale * b.grid.scale, context.grids.of(node))
    output = context.builder.value(node.name, a.value.shape, parameters.grid)
    zeros = (a.grid.zero, b.grid.zero)
    op = Multiply((a.value, b.value), output, *zeros, parameters.bias, parameters.multiplier)
    return QuantTensor(context.builder.add(op), a.layout)
