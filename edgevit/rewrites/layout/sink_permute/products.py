"""Handlers of products of stacks of matrices, by rows or by columns.

Each side may lie by rows or by columns, and the result lies as the left side does.
A product absorbs the swap of the last two axes.

    x @ y   ->   x @ y,   x @ (y^T)^T        where x lies by rows
                 y^T @ x                     where x lies by columns: this is the result by columns
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import product as pairs
from math import prod

import torch
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.program import shape
from edgevit.rewrites.layout.sink_permute.axis_layout import (
    AxisLayout,
    Order,
    Parts,
    common_parts,
    numbered,
    order_in,
)
from edgevit.rewrites.layout.sink_permute.expression import Expression, Laid, NewCall
from edgevit.rewrites.layout.sink_permute.layout_assignment import LayoutAssignment

aten = torch.ops.aten


def product(plan: LayoutAssignment, node: Node) -> Laid | None:
    left, right = operand(node), operand(node, 1)
    x, y = shape(left), shape(right)
    if len(x) < 2 or len(y) < 2:
        return None
    if x[:-2] == y[:-2]:
        return _of_stacks(plan, plan.of(left), plan.of(right), node)
    if len(y) == 2:
        return _by_one_on_the_right(plan, plan.of(left), plan.of(right), node)
    return _by_one_on_the_left(plan, plan.of(left), plan.of(right), node) if len(x) == 2 else None


def _by_one_on_the_right(
    plan: LayoutAssignment, left: Laid, right: Laid, node: Node
) -> Laid | None:
    """Plan a product with one matrix on the right.

    Axes before the summed one are a stack; if none lie behind it, they are more rows.
    """
    layout = left.layout.merged()
    block, count = layout.axes[-1], len(layout.sizes)
    if len(block) == 1 and block[0] < count - 1:
        before, size, behind = (
            prod(layout.sizes[a:b])
            for a, b in ((0, block[0]), (block[0], block[0] + 1), (block[0] + 1, count))
        )
        source = plan.workshop.reshaped(left.source, (1, before, size, behind), node)
        matrix = plan.workshop.swapped(plan.settled(right, node), node)
        sizes = (1, before, matrix.shape[0], behind)
        call = NewCall(node, aten.matmul.default, (matrix, source), {}, sizes)
        return Laid(call, layout.resized(block, len(layout.axes) - 1, matrix.shape[0]))
    rows = layout.reshaped([prod(layout.shape[:-1]), layout.shape[-1]])
    stacked = None if rows is None else _of_stacks(plan, Laid(left.source, rows), right, node)
    layout_after = None if stacked is None else stacked.layout.reshaped(shape(node))
    return None if stacked is None or layout_after is None else Laid(stacked.source, layout_after)


def _by_one_on_the_left(plan: LayoutAssignment, left: Laid, right: Laid, node: Node) -> Laid | None:
    """Plan a product with one matrix on the left: the stack becomes more columns."""
    *stack, summed, columns = range(len(shape(node)))
    transposed = right.layout.permuted([summed, *stack, columns])
    wide = transposed.reshaped([transposed.shape[0], prod(transposed.shape[1:])])
    stacked = None if wide is None else _of_stacks(plan, left, Laid(right.source, wide), node)
    rows, across = shape(node)[-2], [*shape(node)[:-2], shape(node)[-1]]
    layout_after = None if stacked is None else stacked.layout.reshaped([rows, *across])
    if stacked is None or layout_after is None:
        return None
    return Laid(stacked.source, layout_after.permuted([*range(1, len(across)), 0, len(across)]))


def _of_stacks(plan: LayoutAssignment, left: Laid, right: Laid, node: Node) -> Laid | None:
    x, y = _with_axis(left, -1), _with_axis(right, -3)
    parts = common_parts([x.layout, y.layout], (*left.layout.shape, right.layout.shape[-1]))
    if parts is None:
        return None
    rows, summed, columns = numbered(parts)[-3:]
    lies, lies_too = _orders(plan, x, y, parts)
    by_columns = bool(rows and summed) and lies[-1] in rows
    is_transposed = bool(columns and summed) and lies_too[-1] in summed
    a = _matrices(plan, x, parts, lies, rows if by_columns else summed, node)
    b = _matrices(plan, y, parts, lies_too, summed if is_transposed else columns, node)
    down = tuple(part for part in lies if part in rows)
    across = tuple(part for part in lies_too if part in columns)
    stack = tuple(part for part in lies if part not in {*rows, *summed})
    if by_columns:
        first, second = (b if is_transposed else plan.workshop.swapped(b, node)), a
    else:
        first, second = a, (plan.workshop.swapped(b, node) if is_transposed else b)
    order = (*stack, *across, *down) if by_columns else (*stack, *down, *across)
    sizes = (*first.shape[:-1], second.shape[-1])
    call = NewCall(node, aten.matmul.default, (first, second), {}, sizes)
    return Laid(call, _without_summed(order, parts))


def _with_axis(laid: Laid, place: int) -> Laid:
    """View a value on the axes (stack ..., rows, summed, columns), one of the last three of
    length 1.
    """
    axes = list(laid.layout.axes)
    axes.insert(len(axes) + place + 1, ())
    return Laid(laid.source, AxisLayout(laid.layout.sizes, tuple(axes)))


def _without_summed(order: Order, parts: Parts) -> AxisLayout:
    """Return the layout of the result, without the summed axis."""
    summed = numbered(parts)[-2]
    flat = [size for axis in parts for size in axis]
    sizes = tuple(flat[part] for part in order)
    place = {part: k for k, part in enumerate(order)}
    axes = [tuple(place[part] for part in axis if part not in summed) for axis in numbered(parts)]
    return AxisLayout(sizes, (*axes[:-2], axes[-1])).merged()


def _orders(plan: LayoutAssignment, x: Laid, y: Laid, parts: Parts) -> tuple[Order, Order]:
    """Choose the orders of both operands with the fewest copies.

    In each the stack comes first, then two blocks; shared axes have the same order in both.
    """
    lies = order_in(x.layout, parts), order_in(y.layout, parts)
    summed = set(numbered(parts)[-2])
    stacked = {part for axis in numbered(parts)[:-3] for part in axis}

    def either(within: Collection[int]) -> list[Order]:
        return [tuple(part for part in order if part in within) for order in lies]

    candidates = [
        (_in_blocks(lies[0], stack, within), _in_blocks(lies[1], stack, within))
        for stack, within in pairs(either(stacked), either(summed))
    ]

    def copies(both: tuple[Order, Order]) -> int:
        return sum(not plan.is_free(one, parts, order) for one, order in zip((x, y), both, strict=True))  # fmt: skip

    return min(candidates, key=copies)


def _in_blocks(order: Order, stack: Order, summed: Order) -> Order:
    own = tuple(part for part in order if part not in {*stack, *summed})
    starts = [
        order.index(block[0]) if block else -1 for block in (sorted(summed, key=order.index), own)
    ]
    return (*stack, *summed, *own) if starts[0] < starts[1] else (*stack, *own, *summed)


def _matrices(
    plan: LayoutAssignment,
    laid: Laid,
    parts: Parts,
    order: Order,
    across: Collection[int],
    node: Node,
) -> Expression:
    sizes = [size for axis in parts for size in axis]
    stacked = {part for axis in numbered(parts)[:-3] for part in axis}
    stack = prod(sizes[part] for part in order if part in stacked)
    columns = prod(sizes[part] for part in order if part in across)
    down = prod(sizes[part] for part in order) // (stack * columns)
    source = plan.arranged(laid, parts, order, node)
    return plan.workshop.reshaped(source, (1, stack, down, columns), node)
