"""Linear, convolutions, and products of two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.window import Window
from edgevit.integer.graph import Value
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import Context, NotLoweredError
from edgevit.integer.lowering.importers.images import each_image
from edgevit.integer.lowering.parameters import Weights, channels
from edgevit.integer.lowering.relayout import with_last
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear
from edgevit.quantize import Grid, window_of


def linear(node: Node, context: Context) -> QuantTensor:
    source = context.int8_value(operand(node))
    weight = context.weights(node, "weight")
    weights = Weights(weight, _bias(node, context), context.moments.get(node))
    return over_axis(node, source, source.layout.rank - 1, weights, context)


def matrix_product(node: Node, context: Context) -> QuantTensor:
    """Import a product with a constant matrix."""
    source, right = context.int8_value(operand(node)), context.constant(node.args[1])
    assert right is not None
    columns: int = right.shape[1]
    weights = Weights(np.transpose(right), np.zeros(columns))
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
    builder = context.builder
    source = with_last(source, [axis], builder)
    parameters = channels(weights, source.grid, grid)
    count = len(parameters.weight)
    output = builder.value(stem, (*source.value.shape[:-1], count), parameters.grid)
    op = Linear((source.value,), output, parameters.weight, parameters.bias, parameters.multiplier)
    return QuantTensor(builder.add(op), source.layout.replaced(axis, count))


def convolution(node: Node, context: Context) -> QuantTensor:
    grid = context.grids.stored(node)
    weight, bias = context.weights(node, "weight"), _bias(node, context)
    groups = argument(node, "groups")
    if weight.ndim not in (3, 4):
        raise NotLoweredError("only images and rows of them have convolutions")
    window = window_of(node, weight.shape[2:])
    depthwise = weight.shape[1] == 1 and groups == len(weight)
    source = (context.int16_value if depthwise and grid.dtype == "int16" else context.int8_value)(
        operand(node)
    )
    if window == Window((1, 1)) and groups == 1:
        flat = Weights(weight.reshape(len(weight), -1), bias, context.moments.get(node))
        return over_axis(node, source, 1, flat, context)
    last = weight.reshape(*weight.shape[:2], *window.size).transpose(0, 2, 3, 1)
    taps = Weights(last.reshape(len(last), -1), bias, context.moments.get(node))
    kernel = _Kernel(taps, last.shape, window, groups)

    def work(image: Value, stem: str) -> Value:
        return _convolved(image, stem, source.grid, kernel, grid, context)

    return each_image(node, source, context, work)


@dataclass(frozen=True)
class _Kernel:
    weights: Weights
    shape: tuple[int, ...]  # N x rows x columns x C / groups
    window: Window
    groups: int


def _convolved(
    image: Value, stem: str, source: Grid, kernel: _Kernel, grid: Grid, context: Context
) -> Value:
    parameters = channels(kernel.weights, source, grid)
    window, count = kernel.window, kernel.shape[0]
    size = (*window.output(*image.shape[:2]), count)
    output = context.builder.value(stem, size, parameters.grid)
    integers = parameters.weight.reshape(kernel.shape)
    numbers = parameters.bias, parameters.multiplier, window
    if kernel.shape[-1] == 1 and kernel.groups == count:
        taps = np.ascontiguousarray(integers[..., 0].transpose(1, 2, 0))
        op = Depthwise((image,), output, taps, *numbers, image.zero)
    else:
        op = Conv2d((image,), output, integers, *numbers, kernel.groups, image.zero)
    return context.builder.add(op)
