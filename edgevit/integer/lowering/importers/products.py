"""Linear, convolutions, and products of two values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from functools import partial

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.program import shape
from edgevit.graph.window import Window
from edgevit.integer.graph import Value
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import Context, NotLoweredError
from edgevit.integer.lowering.importers.images import each_image
from edgevit.integer.lowering.parameters import ChannelParameters, Weights, channels, wide_sum
from edgevit.integer.lowering.relayout import with_last
from edgevit.integer.ops.pointwise import AddWide
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear
from edgevit.quantize import Grid, window_of

Build = Callable[[QuantTensor, str, ChannelParameters], QuantTensor]


def linear(node: Node, context: Context) -> QuantTensor:
    weight = context.weights(node, "weight")
    weights = Weights(weight, _bias(node, context), context.moments.get(node))
    axis = len(shape(operand(node))) - 1
    return _projected(node, weights, partial(_over_axis, axis=axis, context=context), context)


def _projected(node: Node, weights: Weights, build: Build, context: Context) -> QuantTensor:
    deep = context.deep_value(operand(node))
    if deep is not None:
        return context.as_stored(_by_halves(node, deep, weights, build, context), node)
    source = context.int8_value(operand(node))
    return build(source, node.name, channels(weights, source.grid, context.grids.stored(node)))


def _by_halves(
    node: Node, source: QuantTensor, weights: Weights, build: Build, context: Context
) -> QuantTensor:
    """Multiply 16 bits: their upper eight, and what those leave, by the same weights."""
    upper, lower = context.halves(source)
    parameters = channels(weights, upper.grid, context.grids.wide(node))
    above = build(upper, f"{node.name}.upper", parameters)
    below = build(lower, f"{node.name}.lower", _of_the_rest(parameters))
    numbers = wide_sum(above.grid, below.grid, above.grid)
    output = context.builder.value(node.name, above.value.shape, above.grid)
    both = AddWide((above.value, below.value), output, *astuple(numbers))
    return replace(above, value=context.builder.add(both))


def _of_the_rest(parameters: ChannelParameters) -> ChannelParameters:
    """Return the parameters of the lower half, whose unit is 256 times smaller: on a grid of steps 16 times smaller."""
    grid = replace(parameters.grid, scale=parameters.grid.scale / 16)
    smaller = np.maximum(parameters.multiplier >> 4, 1)
    return replace(parameters, bias=np.zeros_like(parameters.bias), multiplier=smaller, grid=grid)


def matrix_product(node: Node, context: Context) -> QuantTensor:
    """Import a product with a constant matrix."""
    source, right = context.int8_value(operand(node)), context.constant(node.args[1])
    assert right is not None
    columns: int = right.shape[-1]
    weights = Weights(np.transpose(right.reshape(-1, columns)), np.zeros(columns))
    return over_axis(node, source, source.layout.rank - 1, weights, context)


def _bias(node: Node, context: Context) -> np.ndarray:
    bias = context.optional(node, "bias")
    return np.zeros(len(context.weights(node, "weight"))) if bias is None else bias


def over_axis(
    node: Node, source: QuantTensor, axis: int, weights: Weights, context: Context
) -> QuantTensor:
    """Multiply by `weights` along one torch axis."""
    return over_axis_on(node.name, source, axis, weights, context.grids.stored(node), context)


def over_axis_on(
    stem: str, source: QuantTensor, axis: int, weights: Weights, grid: Grid, context: Context
) -> QuantTensor:
    return _over_axis(source, stem, channels(weights, source.grid, grid), axis, context)


def _over_axis(
    source: QuantTensor, stem: str, parameters: ChannelParameters, axis: int, context: Context
) -> QuantTensor:
    builder = context.builder
    source = with_last(source, [axis], builder)
    count = len(parameters.weight)
    output = builder.value(stem, (*source.value.shape[:-1], count), parameters.grid)
    op = Linear((source.value,), output, parameters.weight, parameters.bias, parameters.multiplier)
    return QuantTensor(builder.add(op), source.layout.replaced(axis, count))


def convolution(node: Node, context: Context) -> QuantTensor:
    weight, bias = context.weights(node, "weight"), _bias(node, context)
    groups = argument(node, "groups")
    if weight.ndim not in (3, 4):
        raise NotLoweredError("only images and rows of them have convolutions")
    window = window_of(node, weight.shape[2:])
    if window == Window((1, 1)) and groups == 1:
        flat = Weights(weight.reshape(len(weight), -1), bias, context.moments.get(node))
        return _projected(node, flat, partial(_over_axis, axis=1, context=context), context)
    last = weight.reshape(*weight.shape[:2], *window.size).transpose(0, 2, 3, 1)
    taps = Weights(last.reshape(len(last), -1), bias, context.moments.get(node))
    kernel = _Kernel(last.shape, window, groups)

    def build(source: QuantTensor, stem: str, parameters: ChannelParameters) -> QuantTensor:
        return each_image(
            node,
            source,
            context,
            lambda image, _: _convolved(image, stem, kernel, parameters, context),
        )

    wide = context.plan.is_wide(node) or context.deep_value(operand(node)) is not None
    if not kernel.is_depthwise or not wide:
        return _projected(node, taps, build, context)
    source = context.int16_value(operand(node))
    parameters = channels(taps, source.grid, context.grids.wide(node))
    return context.as_stored(build(source, node.name, parameters), node)


@dataclass(frozen=True)
class _Kernel:
    shape: tuple[int, ...]  # N x rows x columns x C / groups
    window: Window
    groups: int

    @property
    def is_depthwise(self) -> bool:
        return self.shape[-1] == 1 and self.groups == self.shape[0]


def _convolved(
    image: Value, stem: str, kernel: _Kernel, parameters: ChannelParameters, context: Context
) -> Value:
    window, count = kernel.window, kernel.shape[0]
    size = (*window.output(*image.shape[:2]), count)
    output = context.builder.value(stem, size, parameters.grid)
    integers = parameters.weight.reshape(kernel.shape)
    numbers = parameters.bias, parameters.multiplier, window
    if kernel.is_depthwise:
        taps = np.ascontiguousarray(integers[..., 0].transpose(1, 2, 0))
        op = Depthwise((image,), output, taps, *numbers, image.zero)
    else:
        op = Conv2d((image,), output, integers, *numbers, kernel.groups, image.zero)
    return context.builder.add(op)
