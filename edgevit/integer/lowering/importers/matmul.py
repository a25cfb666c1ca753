"""Products of two values, neither of them known beforehand: a stack of matrices each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.program import shape
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import Context, NotLoweredError
from edgevit.integer.lowering.layout import TensorLayout, aligned
from edgevit.integer.lowering.parameters import scaled
from edgevit.integer.lowering.relayout import in_memory, in_one
from edgevit.integer.ops.products import MatMul
from edgevit.quantize import symmetric


@dataclass(frozen=True)
class _Order:
    """Memory order within the axes that both sides of the product share."""

    stack: tuple[int, ...]  # how their parts lie in memory, counted from the slowest of the axis
    depth: tuple[int, ...]


def product(node: Node, context: Context) -> QuantTensor:
    left, right = (
        context.int8_value(operand(node)),
        _balanced(context.int8_value(node.args[1]), context),
    )
    if left.shape[:-2] != right.shape[:-2] or min(left.layout.rank, right.layout.rank) < 2:
        raise NotLoweredError("the stacks of both sides are not of one size")
    stack = prod(left.shape[:-2])
    left, right = (_flat(side, stack) for side in (left, right))
    left, right = _cut_alike(left, right, context)
    order = (
        _order_of(left, (0, 1, 2), depth=2)
        or _order_of(right, (0, 2, 1), depth=1)
        or _order_of(right, (0, 1, 2), depth=1)
        or _Order(_own(left, 0), _own(left, 2))
    )
    left = in_memory(left, _places(left, order, 1, 2, last=True), context.builder)
    turned = _is_turned(right)
    right = in_memory(right, _places(right, order, 2, 1, last=turned), context.builder)
    return _multiplied(node, left, right, turned, context)


def _balanced(tensor: QuantTensor, context: Context) -> QuantTensor:
    grid = tensor.grid
    return tensor if grid.zero == 0 else context.requantized(tensor, symmetric(grid.low, grid.high))


def _flat(tensor: QuantTensor, stack: int) -> QuantTensor:
    layout = tensor.layout.reshaped((stack, *tensor.shape[-2:]))
    assert layout is not None
    return replace(tensor, layout=layout)


def _cut_alike(
    left: QuantTensor, right: QuantTensor, context: Context
) -> tuple[QuantTensor, QuantTensor]:
    cut = aligned(left.layout, right.layout, [(0, 0), (2, 1)])
    if cut is None:  # in torch's order every cut is one
        left = in_one(left, context.builder)
        return _cut_alike(left, in_one(right, context.builder), context)
    return replace(left, layout=cut[0]), replace(right, layout=cut[1])


def _own(tensor: QuantTensor, axis: int) -> tuple[int, ...]:
    return tuple(range(len(tensor.layout.axes[axis])))


def _order_of(tensor: QuantTensor, blocks: Sequence[int], depth: int) -> _Order | None:
    """Return the order of these axes if they already lie one behind the other, in any order within
    each.
    """
    axes = tensor.layout.axes
    start = 0
    orders: dict[int, tuple[int, ...]] = {}
    for axis in blocks:
        span = range(start, start + len(axes[axis]))
        if set(axes[axis]) != set(span):
            return None
        orders[axis] = tuple(axes[axis].index(place) for place in span)
        start = span.stop
    return _Order(orders[0], orders[depth])


def _is_turned(right: QuantTensor) -> bool:
    """Check that memory ends in the axis of summation."""
    last = len(right.layout.sizes) - 1
    return last in right.layout.axes[1]


def _places(tensor: QuantTensor, order: _Order, free: int, depth: int, last: bool) -> list[int]:
    axes = tensor.layout.axes
    stack = [axes[0][index] for index in order.stack]
    summed = [axes[depth][index] for index in order.depth]
    rest = sorted(axes[free])
    return [*stack, *rest, *summed] if last else [*stack, *summed, *rest]


def _multiplied(
    node: Node, left: QuantTensor, right: QuantTensor, turned: bool, context: Context
) -> QuantTensor:
    builder = context.builder
    stack, rows, depth = left.shape
    columns = right.shape[2]
    a = builder.shaped(left.value, (stack, rows, depth))
    b = builder.shaped(right.value, (stack, columns, depth) if turned else (stack, depth, columns))
    parameters = scaled(left.grid.scale * right.grid.scale, context.grids.of(node))
    output = builder.value(node.name, (stack, rows, columns), parameters.grid)
    result = builder.add(
        MatMul((a, b), output, parameters.multiplier, parameters.bias, left.grid.zero, turned)
    )
    layout = _result(left.layout, right.layout).reshaped(shape(node))
    assert layout is not None
    return QuantTensor(result, layout)


def _result(left: TensorLayout, right: TensorLayout) -> TensorLayout:
    """Return the layout of the product: stack and rows as in `left`, columns as in `right`."""
    from_left = [place for axis in (0, 1) for place in left.axes[axis]]
    columns = sorted(right.axes[2])
    number = {place: index for index, place in enumerate(sorted(from_left))}
    sizes = (*(left.sizes[p] for p in sorted(from_left)), *(right.sizes[p] for p in columns))
    behind = {place: len(from_left) + index for index, place in enumerate(columns)}
    axes = (
        *(tuple(number[place] for place in left.axes[axis]) for axis in (0, 1)),
        tuple(behind[place] for place in right.axes[2]),
    )
    return TensorLayout(sizes, axes)
