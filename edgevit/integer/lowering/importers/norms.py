"""Layer norm, RMS norm, group norm; softmax."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, operand
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import Context, NotLoweredError
from edgevit.integer.lowering.importers.affine import per_channel
from edgevit.integer.lowering.parameters import affine, quotient
from edgevit.integer.lowering.relayout import with_last, with_rows
from edgevit.integer.lowering.shift_functions import shift_exponential
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.softmax import Softmax
from edgevit.quantize import Grid

_STEP = 2.0**-11  # of a norm's 16 bits: they reach 16 deviations
_MOST_KEYS = 1 << 13


def layer_norm(node: Node, context: Context) -> QuantTensor:
    return _norm(node, len(argument(node, "normalized_shape")), True, context)


def rms_norm(node: Node, context: Context) -> QuantTensor:
    return _norm(node, len(argument(node, "normalized_shape")), False, context)


def _norm(node: Node, count: int, centred: bool, context: Context) -> QuantTensor:
    source = context.value_of(operand(node))
    weight = context.optional(node, "weight")
    bias = context.optional(node, "bias") if centred else None
    epsilon = argument(node, "eps")
    epsilon = float(np.finfo(np.float32).eps) if epsilon is None else epsilon
    axes = list(range(source.layout.rank - count, source.layout.rank))
    if count > 1 and (weight is not None or bias is not None):
        raise NotLoweredError("its weight has several axes")
    source = _without_zero(source, centred, context)
    return _normalised(node, source, axes, axes[-1], (weight, bias), centred, epsilon, context)


def group_norm(node: Node, context: Context) -> QuantTensor:
    source = context.value_of(operand(node))
    parameters = context.optional(node, "weight"), context.optional(node, "bias")
    groups, epsilon = argument(node, "num_groups"), argument(node, "eps")
    rank = source.layout.rank
    if groups == 1:
        axes = list(range(1, rank))
        return _normalised(node, source, axes, 1, parameters, True, epsilon, context)
    shape = source.shape
    apart = source.layout.reshaped((shape[0], groups, shape[1] // groups, *shape[2:]))
    if apart is None:
        raise NotLoweredError("its groups are no parts of the axes in memory")
    none = (None, None)
    split = replace(source, layout=apart)
    result = _normalised(node, split, list(range(2, rank + 1)), 2, none, True, epsilon, context)
    whole = result.layout.reshaped(shape)
    assert whole is not None
    result = replace(result, layout=whole)
    if all(parameter is None for parameter in parameters):
        return result
    weight, bias = (
        np.full(shape[1], 1.0 - k) if g is None else g for k, g in enumerate(parameters)
    )
    return per_channel(node, result, 1, weight, bias, context)


def _without_zero(source: QuantTensor, centred: bool, context: Context) -> QuantTensor:
    """Move the zero point to 0 for a norm that is not centred."""
    if centred or source.value.zero == 0:
        return source
    grid = source.grid
    return context.requantized(source, Grid(max(-grid.low, grid.high) / 127))


def _normalised(
    node: Node, source: QuantTensor, axes: list[int], channel: int,
    parameters: tuple[np.ndarray | None, np.ndarray | None], centred: bool, epsilon: float, context: Context,
) -> QuantTensor:  # fmt: skip
    """Normalise over all of `axes` at once."""
    builder = context.builder
    length = prod(source.shape[axis] for axis in axes)
    if len(axes) == 1:
        source = with_last(source, axes, builder)
        rows = source.value.shape
    else:
        source = with_rows(source, axes, channel, builder)
        width = source.shape[channel]
        rows = (prod(source.shape) // length, length // width, width)
    value = builder.shaped(source.value, rows)
    count = 1 if len(axes) == 1 else 2
    plain = all(parameter is None for parameter in parameters)
    output = _grid(node, plain, context)
    step = output.scale if plain else _STEP
    divisor = quotient(length / step)
    numbers = (
        count,
        centred,
        round(epsilon * (length / source.grid.scale) ** 2),
        divisor.numerator,
        divisor.shift,
    )
    result = builder.value(node.name, rows, output)
    if plain:
        return replace(source, value=builder.add(Norm((value,), result, *numbers)), factor=1.0)
    width = rows[-1]
    weight, bias = (np.full(width, 1.0 - k) if g is None else g for k, g in enumerate(parameters))
    gains = affine(weight, bias, step, output)
    op = Norm((value,), result, *numbers, gains.gain, gains.bias, gains.shift)
    return replace(source, value=builder.add(op), factor=1.0)


def _grid(node: Node, plain: bool, context: Context) -> Grid:
    """Return the grid of a norm's output. Without a bias it has no zero point."""
    grid = context.grids.of(node)
    if plain and grid.zero:
        return Grid(max(-grid.low, grid.high) / 127)
    return grid


def softmax(node: Node, context: Context) -> QuantTensor:
    builder = context.builder
    axis = integer(node, "dim") % len(context.tensors[operand(node)].shape)
    source = with_last(context.int8_value(operand(node)), [axis], builder)
    if source.shape[axis] > _MOST_KEYS:
        raise NotLoweredError(f"its rows are longer than {_MOST_KEYS}")
    longest = (source.shape[axis] * 65535).bit_length()
    # 2^17 / 2^30 is the least scale that the shift allows, 2^(47 - longest) / 2^29 the largest
    peak = min(context.grids.peak(node), 1.0)
    scale = min(max(peak / 255, 2.0**-13), 2.0 ** (18 - longest))
    shift = max(int(np.ceil(np.log2(2.0**29 * scale))), 17)
    numerator = min(max(round(2.0**shift / scale), 2**29), 2**30)
    table = _exponentials(source.grid.scale, context)
    output = builder.value(node.name, source.value.shape, Grid(scale, -128))
    return QuantTensor(
        builder.add(Softmax((source.value,), output, table, numerator, shift)), source.layout
    )


def _exponentials(scale: float, context: Context) -> np.ndarray:
    if context.shift_softmax:
        return shift_exponential(scale)
    return np.rint(65535 * np.exp(-scale * np.arange(256))).astype(np.uint16)
