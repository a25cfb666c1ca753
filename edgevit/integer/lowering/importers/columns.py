"""Columns that a constant index picks or sums, row by row: relative positions, read from a table by distance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, kind, operand
from edgevit.graph.program import shape
from edgevit.integer.graph import Value
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import Context
from edgevit.integer.lowering.layout import TensorLayout
from edgevit.integer.lowering.parameters import scaled
from edgevit.integer.lowering.relayout import with_last
from edgevit.integer.ops.columns import SPREAD, BinSum, Pick, table_rows


def is_by_table(node: Node, context: Context) -> bool:
    """Check for a constant index along the last axis, of as many rows as the value; sums begin at zero."""
    read = argument(node, "src") if kind(node) == "scatter_add" else operand(node)
    index = context.constant(argument(node, "index"))
    if index is None or not isinstance(read, Node) or context.constant(read) is not None:
        return False
    if kind(node) == "scatter_add":
        base = context.constant(operand(node))
        if base is None or np.any(base) or index.shape != tuple(shape(read)):
            return False
    sizes = shape(read)
    is_last = integer(node, "dim") % len(sizes) == len(sizes) - 1
    return is_last and len(sizes) > 1 < sizes[-1] and index.shape[:-1] == tuple(sizes[:-1])


def gather(node: Node, context: Context) -> QuantTensor:
    """Import a gather along the last axis by a constant index. The values keep their grid."""
    index = context.weights(node, "index").astype(np.int64)
    source = _rows(context.int8_value(operand(node)), context)
    table = _table(index, source, shape(operand(node))[-1])
    output = context.builder.like(
        source.value, node.name, (*source.value.shape[:-1], index.shape[-1])
    )
    return _with_columns(
        source, context.builder.add(Pick((source.value,), output, table)), index.shape[-1]
    )


def scatter_add(node: Node, context: Context) -> QuantTensor:
    """Import a sum of columns into bins that begin at zero, by a constant index along the last axis."""
    index = context.weights(node, "index").astype(np.int64)
    source = _rows(context.int8_value(argument(node, "src")), context)
    bins, columns = shape(node)[-1], index.shape[-1]
    places = _table(index, source, max(bins, columns)).astype(np.int64)
    order = np.argsort(places, axis=-1, kind="stable")
    edges: np.ndarray = np.arange(bins).reshape(bins, 1)
    upto = np.less_equal(places[..., None, :], edges)
    ends = np.count_nonzero(upto, axis=-1)
    numbers = scaled(source.grid.scale / SPREAD, context.grids.of(node))
    output = context.builder.value(node.name, (*source.value.shape[:-1], bins), numbers.grid)
    op = BinSum(
        (source.value,),
        output,
        order.astype(_narrowest(columns)),
        ends.astype(np.uint16),
        source.grid.zero,
        numbers.bias,
        numbers.multiplier,
    )
    return replace(_with_columns(source, context.builder.add(op), bins), factor=1.0)


def _rows(source: QuantTensor, context: Context) -> QuantTensor:
    """Put the last axis last, one axis of memory, and give the value the sizes of all."""
    rank = len(source.shape)
    moved = with_last(source, [rank - 1], context.builder)
    lead = len(moved.layout.sizes) - len(moved.layout.axes[-1])
    sizes = (*moved.layout.sizes[:lead], moved.shape[-1])
    layout = TensorLayout(sizes, (*moved.layout.axes[:-1], (lead,)))
    sizes = sizes if lead else (1, *sizes)
    return replace(moved, value=context.builder.shaped(moved.value, sizes), layout=layout)


def _with_columns(source: QuantTensor, value: Value, columns: int) -> QuantTensor:
    layout = source.layout
    if columns > 1:
        return replace(
            source,
            value=value,
            layout=TensorLayout((*layout.sizes[:-1], columns), layout.axes),
        )
    return replace(
        source, value=value, layout=TensorLayout(layout.sizes[:-1], (*layout.axes[:-1], ()))
    )


def _table(index: np.ndarray, source: QuantTensor, reach: int) -> np.ndarray:
    """Lay the index out as the rows lie in memory, with one element along the axes that it is the same along."""
    layout = source.layout
    places = [place for axis in layout.axes[:-1] for place in axis]
    sizes = [layout.sizes[place] for place in places]
    order = [places.index(place) for place in range(len(places))]
    table = index.reshape(*sizes, index.shape[-1]).transpose(*order, len(order))
    table = _smallest(table).astype(_narrowest(reach))
    return table if places else table.reshape(1, -1)


def _smallest(table: np.ndarray) -> np.ndarray:
    smaller = table
    for axis in range(table.ndim - 1):
        first = smaller.take([0], axis)
        if np.array_equal(np.broadcast_to(first, smaller.shape), smaller):
            smaller = first
    if table_rows(smaller.shape[:-1], table.shape[:-1]) is None:
        return table
    return smaller


def _narrowest(reach: int) -> type[np.unsignedinteger]:
    return np.uint8 if reach <= 256 else np.uint16
