"""Orders of values, and rows taken by places: what drops, fuses and merges tokens.

Places are values of 16 bits with scale 1. They move as other values do, and a number may be added to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, node_argument, op, operand
from edgevit.graph.program import shape, value
from edgevit.integer.lowering.builder import QuantTensor
from edgevit.integer.lowering.context import PLACES, Context, NotLoweredError
from edgevit.integer.lowering.importers.moves import reshaped
from edgevit.integer.lowering.layout import TensorLayout
from edgevit.integer.lowering.relayout import by_axes, with_last
from edgevit.integer.ops.pointwise import AddWide
from edgevit.integer.ops.selection import Gather, OneHot, Order, Scatter
from edgevit.quantize import Grid

_ONE = Grid(1 / 64)  # of one-hot rows: a product with them is exact
_SAME = frozenset({"alias", "clone", "contiguous", "detach"})
_RISING = {"min", "amin", "argmin"}


def order(node: Node, context: Context) -> QuantTensor:
    """Import the places of the largest or smallest values along an axis: all of them, some, or the first."""
    source = operand(node)
    tensor = context.value_of(source)
    axis = _axis(node, len(tensor.shape))
    size = tensor.shape[axis]
    count = {"topk": argument(node, "k") if kind(node) == "topk" else 0, "sort": size, "argsort": size}.get(kind(node), 1)  # fmt: skip
    tensor = with_last(tensor, [axis], context.builder) if size > 1 else tensor
    rows = context.builder.shaped(tensor.value, (tensor.value.size // size, size))
    output = context.builder.value(f"{node.name}.places", (rows.shape[0], count), PLACES)
    result = context.builder.add(Order((rows,), output, _is_rising(node)))
    places = QuantTensor(result, tensor.layout.replaced(axis, count) if size > 1 else tensor.layout)
    return reshaped(places, shape(node), context) if kind(node) in {"argmax", "argmin"} else places


def _axis(node: Node, rank: int) -> int:
    dim: int | list[int] | None = argument(node, "dim")
    dims = [dim] if isinstance(dim, int) else dim or list(range(rank))
    if len(dims) != 1:
        raise NotLoweredError("it is over several axes at once")
    return dims[0] % rank


def _is_rising(node: Node) -> bool:
    if kind(node) == "topk":
        return not argument(node, "largest")
    if kind(node) in {"sort", "argsort"}:
        return not argument(node, "descending")
    return kind(node) in _RISING


def extreme(node: Node, context: Context) -> QuantTensor:
    """Import the largest or smallest values along an axis."""
    places = order(node, context)
    return reshaped(_values(node, places, context), shape(node), context)


def largest(node: Node, context: Context) -> QuantTensor:
    """Import `max` or `min`: along an axis they have places too; of two tensors they are another call."""
    if op(node).split(".")[-1] != "dim":
        raise NotLoweredError("no integer operation computes it")
    return order(node, context)


def part(node: Node, context: Context) -> QuantTensor:
    """Import the values or the places of an order."""
    source, index = operand(node), node.args[1]
    if kind(source) not in {"topk", "sort", "max", "min"}:
        raise NotLoweredError("no integer operation computes it")
    places = context.value_of(source)
    result = places if index == 1 else _values(source, places, context)
    return reshaped(result, shape(node), context)


def _values(node: Node, places: QuantTensor, context: Context) -> QuantTensor:
    """Take the values of an order by its places."""
    tensor = context.value_of(operand(node))
    axis = _axis(node, len(tensor.shape))
    if tensor.shape[axis] == 1:
        return tensor
    tensor = with_last(tensor, [axis], context.builder)
    rows, count = places.value.shape
    x = context.builder.shaped(tensor.value, (rows, tensor.shape[axis], 1))
    output = context.builder.like(x, f"{node.name}.values", (rows, count, 1))
    return replace(
        places, value=context.builder.add(Gather((x, places.value), output)), factor=tensor.factor
    )


@dataclass(frozen=True)
class _Selection:
    """Places along one axis of a tensor: the same for all of some other axes, their own for the rest."""

    tensor: QuantTensor  # of places
    axis: int
    own: tuple[int, ...]  # axes that have places of their own
    shared: tuple[int, ...]

    @property
    def order(self) -> tuple[int, ...]:
        return (*self.own, self.axis, *self.shared)


def _selection(
    index: Node, sizes: Sequence[int], whole: Sequence[int], axis: int, context: Context
) -> _Selection:
    """Read places, spread or not, that select along `axis` of a tensor of shape `whole`."""
    others = [other for other in range(len(whole)) if other != axis]
    if any(sizes[other] != whole[other] for other in others):
        raise NotLoweredError("it takes a part of another axis as well")
    narrow = _narrow(index)
    lengths = [1] * (len(sizes) - len(shape(narrow))) + list(shape(narrow))
    if lengths[axis] != sizes[axis]:
        raise NotLoweredError("one place is taken for several")
    tensor = reshaped(_places(narrow, context), lengths, context)
    own = tuple(other for other in others if lengths[other] > 1)
    shared = tuple(other for other in others if lengths[other] == 1)
    return _Selection(tensor, axis, own, shared)


def _narrow(index: Node) -> Node:
    """Return places before they were spread."""
    while kind(index) in {"expand", *_SAME}:
        index = operand(index)
    return index


def _places(index: Node, context: Context) -> QuantTensor:
    array = context.constant(index)
    if array is not None:
        return context.constant_tensor(array, f"{index.name}.places", PLACES, shape(index))
    if index not in context.tensors or context.tensors[index].grid != PLACES:
        raise NotLoweredError("its places come from no order of values")
    return context.tensors[index]


def gather(node: Node, context: Context) -> QuantTensor:
    tensor = _computed(operand(node), context)
    axis = argument(node, "dim") % len(tensor.shape)
    index = node_argument(node, "index")
    chosen = _selection(index, shape(index), tensor.shape, axis, context)
    return _taken(node.name, tensor, chosen, context)


def take_along(node: Node, context: Context) -> QuantTensor:
    """Import `take_along_dim`, which spreads its places itself."""
    tensor, dim = _computed(operand(node), context), argument(node, "dim")
    if dim is None:
        raise NotLoweredError("it is over all axes at once")
    index, axis = node_argument(node, "indices"), dim % len(tensor.shape)
    chosen = _selection(index, shape(node), tensor.shape, axis, context)
    return _taken(node.name, tensor, chosen, context)


def index_select(node: Node, context: Context) -> QuantTensor:
    tensor = _computed(operand(node), context)
    axis = argument(node, "dim") % len(tensor.shape)
    return _taken_along(node, tensor, axis, node_argument(node, "index"), context)


def index(node: Node, context: Context) -> QuantTensor:
    """Import `x[:, places]`, or `x[rows, places]` where there is one row."""
    tensor = _computed(operand(node), context)
    indices = argument(node, "indices")
    computed = [k for k, one in enumerate(indices) if isinstance(one, Node) and tensor.shape[k] > 1]
    if len(computed) != 1:
        raise NotLoweredError("it indexes several axes")
    (axis,) = computed
    return _taken_along(node, tensor, axis, indices[axis], context)


def _taken_along(
    node: Node, tensor: QuantTensor, axis: int, index: Node, context: Context
) -> QuantTensor:
    count = prod(shape(index))
    places = reshaped(_places(_narrow(index), context), [1] * axis + [count] + [1] * (len(tensor.shape) - axis - 1), context)  # fmt: skip
    shared = tuple(other for other in range(len(tensor.shape)) if other != axis)
    chosen = _Selection(places, axis, (), shared)
    return reshaped(_taken(node.name, tensor, chosen, context), shape(node), context)


def _computed(node: Node, context: Context) -> QuantTensor:
    """Return what is selected from, a table of places included."""
    array = context.constant(node)
    if array is None:
        return context.value_of(node)
    return context.constant_tensor(array, node.name, context.constant_grid(node, array), shape(node))  # fmt: skip


def _taken(stem: str, tensor: QuantTensor, chosen: _Selection, context: Context) -> QuantTensor:
    x = _stacked(tensor, chosen, context)
    places = _stacked_places(chosen, context)
    stack, count = places.value.shape
    output = context.builder.like(x.value, stem, (stack, count, x.value.shape[2]))
    result = context.builder.add(Gather((x.value, places.value), output))
    sizes = list(tensor.shape)
    sizes[chosen.axis] = count
    return QuantTensor(result, TensorLayout.plain(sizes, chosen.order), tensor.factor)


def _stacked(tensor: QuantTensor, chosen: _Selection, context: Context) -> QuantTensor:
    """Lay out a tensor as stack x rows x width."""
    moved = by_axes(tensor, chosen.order, context.builder)
    stack = prod(tensor.shape[axis] for axis in chosen.own)
    width = prod(tensor.shape[axis] for axis in chosen.shared)
    sizes = (stack, tensor.shape[chosen.axis], width)
    return replace(moved, value=context.builder.shaped(moved.value, sizes))


def _stacked_places(chosen: _Selection, context: Context) -> QuantTensor:
    moved = by_axes(chosen.tensor, (*chosen.own, chosen.axis), context.builder)
    stack = prod(chosen.tensor.shape[axis] for axis in chosen.own)
    sizes = (stack, chosen.tensor.shape[chosen.axis])
    return replace(moved, value=context.builder.shaped(moved.value, sizes))


def scatter(node: Node, context: Context) -> QuantTensor:
    """Import rows that are put, or added, at places."""
    adds = kind(node) in {"scatter_add", "scatter_reduce"}
    if kind(node) == "scatter_reduce" and (argument(node, "reduce") != "sum" or not argument(node, "include_self")):  # fmt: skip
        raise NotLoweredError("it reduces by another way than sums")
    whole, index_node = operand(node), node_argument(node, "index")
    axis = argument(node, "dim") % len(shape(node))
    sizes = shape(index_node)
    chosen = _selection(index_node, sizes, shape(node), axis, context)
    grid = context.stored_grid(node)
    tensor = _on_grid(whole, shape(node), grid, context)
    source = argument(node, "src") if has_argument(node, "src") else argument(node, "value")
    if isinstance(source, Node) and shape(source) != tuple(sizes):
        raise NotLoweredError("it puts a part of what it is given")
    rows = _on_grid(source, sizes, grid, context)
    x, y = _stacked(tensor, chosen, context), _stacked(rows, chosen, context)
    output = context.builder.like(x.value, node.name, x.value.shape)
    operands = (x.value, _stacked_places(chosen, context).value, y.value)
    result = context.builder.add(Scatter(operands, output, adds))
    return QuantTensor(result, TensorLayout.plain(shape(node), chosen.order))


def _on_grid(source: object, sizes: Sequence[int], grid: Grid, context: Context) -> QuantTensor:
    """Return a value, a constant or a number on a grid."""
    number = context.constant(source) if isinstance(source, Node) else np.array(source)
    if number is not None:
        stem = source.name if isinstance(source, Node) else "number"
        return context.constant_tensor(number, f"{stem}.scattered", grid, tuple(sizes))
    assert isinstance(source, Node)
    return context.requantized(context.value_of(source), grid)


def equal(node: Node, context: Context) -> QuantTensor:
    """Import the comparison of places with neighbouring numbers: a row for each place, 1 at its number."""
    picked, numbers = operand(node), context.constant(node.args[1])
    places = context.tensors.get(picked)
    if places is None or places.grid != PLACES or numbers is None:
        raise NotLoweredError("only places are compared, with constant numbers")
    every = numbers.ravel()
    first = int(every[0])
    is_rows = shape(picked)[-1] == 1 and numbers.shape[-1] == numbers.size
    if not is_rows or not np.array_equal(every, first + np.arange(every.size)):
        raise NotLoweredError("its numbers are no neighbours in a row")
    count = prod(shape(picked))
    ordered = by_axes(places, range(len(places.shape)), context.builder)
    flat = context.builder.shaped(ordered.value, (count,))
    output = context.builder.value(node.name, (count, every.size), _ONE)
    zero, one = (int(_ONE.quantized(np.array(level))) for level in (0.0, 1.0))
    result = context.builder.add(OneHot((flat,), output, first, zero, one))
    return QuantTensor(result, TensorLayout.plain(shape(node)))


def cast(node: Node, context: Context) -> QuantTensor:
    """Import a change of type that changes no number."""
    before, after = (value(one).dtype for one in (operand(node), node))
    tensor = context.value_of(operand(node))
    is_same = before == torch.bool or before.is_floating_point == after.is_floating_point
    if is_same or (after.is_floating_point and tensor.value.dtype == "int8"):  # one-hot rows
        return tensor
    raise NotLoweredError("it rounds, or places become real numbers")


def moved_places(node: Node, context: Context) -> QuantTensor:
    """Import a whole number added to places."""
    number = context.number(node.args[1])
    shift = -1 if number is None else int(number if kind(node) == "add" else -number)
    if not 0 <= shift < 2**14:
        raise NotLoweredError("places only move up, and by a number")
    tensor = context.value_of(operand(node))
    output = context.builder.like(tensor.value, node.name, tensor.value.shape)
    result = context.builder.add(AddWide((tensor.value, tensor.value), output, 2, 0, 2 * shift, 1))
    return replace(tensor, value=result)
