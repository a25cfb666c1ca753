"""Linear, convolutions, and products of two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand, per_dimension
from edgevit.integer.graph import Value
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear
from edgevit.integer.ops.window import Window
from edgevit.quant.arrange import with_last
from edgevit.quant.builder import Held
from edgevit.quant.context import Context, Unsupported
from edgevit.quant.grid import Grid
from edgevit.quant.importers.images import each_image
from edgevit.quant.numbers import channels


def linear(node: Node, context: Context) -> Held:
    source = context.narrow(operand(node))
    weight, bias = context.weights(node, "weight"), context.optional(node, "bias")
    return over_axis(node, source, source.layout.rank - 1, weight, bias, context)


def matrix_product(node: Node, context: Context) -> Held:
    """With a matrix that is known beforehand."""
    source, right = context.narrow(operand(node)), context.constant(node.args[1])
    assert right is not None
    return over_axis(node, source, source.layout.rank - 1, right.T, None, context)


def over_axis(
    node: Node,
    source: Held,
    axis: int,
    weight: np.ndarray,
    bias: np.ndarray | None,
    context: Context,
) -> Held:
    """Sums along one torch axis."""
    builder = context.builder
    source = with_last(source, [axis], builder)
    count = len(weight)
    found = channels(
        weight, np.zeros(count) if bias is None else bias, source.grid, context.grids.of(node)
    )
    output = builder.value(node.name, (*source.value.shape[:-1], count), found.grid)
    made = Linear((source.value,), output, found.weight, found.bias, found.multiplier)
    return Held(builder.add(made), source.layout.replaced(axis, count))


def convolution(node: Node, context: Context) -> Held:
    source = context.narrow(operand(node))
    weight, bias = context.weights(node, "weight"), context.optional(node, "bias")
    bias = np.zeros(len(weight)) if bias is None else bias
    groups = argument(node, "groups")
    if weight.ndim not in (3, 4):
        raise Unsupported("only images and rows of them have convolutions")
    window = window_of(node, weight.shape[2:])
    if window == Window((1, 1)) and groups == 1:
        flat = weight.reshape(len(weight), -1)
        return over_axis(node, source, 1, flat, bias, context)
    weight = weight.reshape(*weight.shape[:2], *window.size)
    kernel = _Kernel(weight, bias, window, groups)

    def work(image: Value, stem: str) -> Value:
        return _convolved(image, stem, source.grid, kernel, context.grids.of(node), context)

    return each_image(node, source, context, work)


def window_of(node: Node, size: tuple[int, ...]) -> Window:
    dims = len(size)
    stride, dilation = (
        per_dimension(argument(node, name), dims) for name in ("stride", "dilation")
    )
    padding = argument(node, "padding")
    if isinstance(padding, str):
        spans = [d * (s - 1) for d, s in zip(dilation, size, strict=True)]
        before = [span // 2 if padding == "same" else 0 for span in spans]
        after = [span - span // 2 if padding == "same" else 0 for span in spans]
    else:
        before = after = list(per_dimension(padding, dims))
    rest = (1,) * (2 - dims)
    none = [0] * (2 - dims)
    sides = (*none, *before, *none, *after)
    return Window((*rest, *size), (*rest, *stride), sides, (*rest, *dilation))  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Kernel:
    weight: np.ndarray  # N x C / groups x rows x columns
    bias: np.ndarray
    window: Window
    groups: int


def _convolved(
    image: Value, stem: str, source: Grid, kernel: _Kernel, grid: Grid, context: Context
) -> Value:
    count, depth = kernel.weight.shape[:2]
    last = kernel.weight.transpose(0, 2, 3, 1)  # channels last
    found = channels(last.reshape(count, -1), kernel.bias, source, grid)
    window = kernel.window
    size = (*window.output(*image.shape[:2]), count)
    output = context.builder.value(stem, size, found.grid)
    integers = found.weight.reshape(last.shape)
    numbers = found.bias, found.multiplier, window
    if depth == 1 and kernel.groups == count:
        taps = np.ascontiguousarray(integers[..., 0].transpose(1, 2, 0))
        made = Depthwise((image,), output, taps, *numbers, image.zero)
    else:
        made = Conv2d((image,), output, integers, *numbers, kernel.groups, image.zero)
    return context.builder.add(made)
