"""Handlers of calls that mix the channels at each place.

linear(x, W, b)             ->   conv2d(x, W, b)                      where the channels lie before the places
linear(patches(x), W, b)    ->   conv2d(x, W, b, stride=patch)        where a patch lies in its image
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import prod

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, per_dimension
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.linear_calls import is_projection
from edgevit.rewrites.layout.sink_permute.axis_layout import AxisLayout
from edgevit.rewrites.layout.sink_permute.expression import (
    Expression,
    FoldedConstant,
    Laid,
    NewCall,
    changed,
    reshaped,
)
from edgevit.rewrites.layout.sink_permute.layout_assignment import LayoutAssignment, is_together

aten = torch.ops.aten


def projection(plan: LayoutAssignment, node: Node) -> Laid | None:
    axis = _mixed_axis(plan, node)
    if axis is None:
        return None
    laid = plan.of(operand(node))
    sides = _patch_sides(laid.layout, axis)
    if sides is not None:
        return _strided(plan, node, laid, axis, sides)
    if not is_together(laid.layout.axes[axis]):
        laid = plan.gathered(laid, axis, node)
    block = laid.layout.axes[axis]
    source, (place,) = plan.exposed(laid, block, node)
    if max(block) == len(laid.layout.sizes) - 1:
        rows = plan.workshop.reshaped(source, source.shape[: place + 1], node)
        call = _linear(node, rows, _matrix(node, laid.layout, block))
    else:
        image = _as_image(plan, source, place, node)
        call = _convolution(node, image, _matrix(node, laid.layout, block), [1, 1], image.shape[2:])
    return Laid(call, laid.layout.resized(block, axis, shape(node)[axis]))


def _mixed_axis(plan: LayoutAssignment, node: Node) -> int | None:
    """Return the channel axis of the operand; None where there is only one channel, or the
    call skips places.
    """
    if not is_projection(node, plan.draft) or shape(argument(node, "weight"))[1] == 1:
        return None
    if kind(node) == "linear":
        return len(shape(node)) - 1
    steps = per_dimension(argument(node, "stride"), len(shape(node)) - 2)
    return 1 if set(steps) == {1} else None


def _matrix(node: Node, layout: AxisLayout, block: Sequence[int]) -> FoldedConstant:
    """Return the weight of a projection, with its inputs in their order in memory."""
    weight = argument(node, "weight")
    whole = FoldedConstant(weight, shape(weight))
    if list(block) == sorted(block):
        return whole
    outs, ins = whole.shape[:2]
    sizes = [outs, *(layout.sizes[f] for f in block)]
    permutation = [0, *(1 + list(block).index(f) for f in sorted(block))]
    return changed(
        whole,
        lambda tensor: tensor.reshape(sizes).permute(permutation).reshape(outs, ins),
        (outs, ins),
    )


def _bias(node: Node) -> FoldedConstant | None:
    bias = argument(node, "bias")
    return None if bias is None else FoldedConstant(bias, shape(bias))


def _linear(node: Node, source: Expression, matrix: FoldedConstant) -> NewCall:
    flat = reshaped(matrix, matrix.shape[:2])
    sizes = (*source.shape[:-1], matrix.shape[0])
    return NewCall(node, aten.linear.default, (source, flat, _bias(node)), {}, sizes)


def _convolution(
    node: Node,
    image: Expression,
    matrix: FoldedConstant,
    window: Sequence[int],
    size: Sequence[int],
) -> NewCall:
    outs = matrix.shape[0]
    kernel = reshaped(matrix, (outs, matrix.shape[1] // prod(window), *window))
    args = (image, kernel, _bias(node), list(window))
    sizes = (image.shape[0], outs, *size)
    return NewCall(node, aten.conv2d.default, args if max(window) > 1 else args[:3], {}, sizes)


def _as_image(plan: LayoutAssignment, source: Expression, place: int, node: Node) -> Expression:
    sizes = source.shape
    if len(sizes) == 4 and place == 1:
        return source
    image = (prod(sizes[:place]), sizes[place], 1, prod(sizes[place + 1 :]))
    return plan.workshop.reshaped(source, image, node)


def _patch_sides(layout: AxisLayout, axis: int) -> tuple[int, int, int, int] | None:
    """Return patches down, rows of each, patches across, columns, for an image whose patches
    are mixed into one value each.
    """
    block = set(layout.axes[axis])
    runs = [
        (inside, list(run)) for inside, run in groupby(range(len(layout.sizes)), block.__contains__)
    ]
    if runs and not runs[0][0]:
        runs = runs[1:]
    kinds = [inside for inside, _ in runs]
    if kinds not in ([True, False, True], [True, False, True, False, True]):
        return None
    sides = [prod(layout.sizes[f] for f in run) for _, run in runs[1:]]
    down, rows, across, columns = [*sides, 1, 1][:4]
    return down, rows, across, columns


def _strided(
    plan: LayoutAssignment, node: Node, laid: Laid, axis: int, sides: tuple[int, int, int, int]
) -> Laid:
    layout, (down, rows, across, columns) = laid.layout, sides
    block = layout.axes[axis]
    matrix = _matrix(node, layout, block)
    channels = matrix.shape[1] // (rows * columns)
    images = prod(layout.sizes) // (channels * prod(sides))
    source = plan.workshop.reshaped(
        laid.source, (images, channels, down * rows, across * columns), node
    )
    call = _convolution(node, source, matrix, [rows, columns], [down, across])
    others = [f for f in range(len(layout.sizes)) if f not in block or f == min(block)]
    number = {f: k for k, f in enumerate(others)}
    axes = [tuple(number[f] for f in one if f in number) for one in layout.axes]
    unstrided = AxisLayout(tuple(layout.sizes[f] for f in others), tuple(axes))
    return Laid(call, unstrided.resized(unstrided.axes[axis], axis, shape(node)[axis]))
