"""A factor and a term a channel: a depthwise convolution with a window of one pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.window import Window
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import Context
from edgevit.integer.lowering.parameters import Weights, channels
from edgevit.integer.lowering.relayout import with_last
from edgevit.integer.ops.products import Depthwise


def per_channel(
    node: Node,
    source: QuantTensor,
    axis: int,
    weight: np.ndarray,
    bias: np.ndarray,
    context: Context,
) -> QuantTensor:
    builder = context.builder
    source = with_last(source, [axis], builder)
    shape = source.value.shape
    count = shape[-1]
    image = source.value
    if len(shape) != 3:
        image = builder.shaped(image, (image.rows, 1, count))
    parameters = channels(
        Weights(weight.reshape(count, 1), bias), source.grid, context.grids.of(node)
    )
    output = builder.value(node.name, image.shape, parameters.grid)
    taps = parameters.weight.reshape(1, 1, count)
    op = Depthwise(
        (image,), output, taps, parameters.bias, parameters.multiplier, Window((1, 1)), image.zero
    )
    return replace(source, value=builder.shaped(builder.add(op), shape), factor=1.0)


def batch_norm(node: Node, context: Context) -> QuantTensor:
    """Import a batch norm that was not folded into a convolution."""
    mean, variance = (context.weights(node, f"running_{name}") for name in ("mean", "var"))
    weight, bias = (context.optional(node, name) for name in ("weight", "bias"))
    scale = 1 / np.sqrt(variance + argument(node, "eps"))
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    return per_channel(node, context.int8_value(operand(node)), 1, scale, shift, context)
