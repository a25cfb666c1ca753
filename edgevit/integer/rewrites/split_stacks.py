"""Products of stacks, one matrix at a time; and what feeds them, by slices.

    matmul(a, b) over a stack of H   ->   concat(matmul(a[h], b[h]) for h in range(H))

A slice is pushed up through what works row by row or element by element, until it cuts the weights of a linear: then
attention has one head at a time, and neither q, k and v nor the scores are ever there for all heads. A concatenation is
pulled down through permutes and reshapes, until the heads lie side by side.

Only scores are worth it, which a softmax reads: all other products of a stack are no larger than what they are made of.

Each step asks for steps further up or down by `yield`, and `finished` runs them: a net may be deeper than Python's stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from edgevit.integer.graph import IntegerGraph, Op, Value
from edgevit.integer.ops.columns import BinSum, Pick
from edgevit.integer.ops.moves import Concat, Permute, Reshape, Slice
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.pointwise import Add, AddWide, Curve, Lookup, Rescale
from edgevit.integer.ops.products import Linear, MatMul
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.rewrites.rebuilder import Rebuilder
from edgevit.support.deep import Steps, finished

MOST = 16  # matrices in a stack: more would be code without end
StackPart = tuple[int, int, int]  # axis, start, count


def split_stacks(graph: IntegerGraph) -> IntegerGraph:
    splitter = _Splitter(Rebuilder(graph), _beside_softmax(graph))
    for op in graph.ops:
        splitter.copy(op)
    return splitter.builder.graph(splitter.now(value) for value in graph.outputs)


def _beside_softmax(graph: IntegerGraph) -> frozenset[str]:
    """Find the products whose result a softmax reads, and those that read its own, with others than products between."""
    below, above = set[str](), set[str]()
    products = {op.name for op in graph.ops if isinstance(op, (MatMul, BinSum))}
    for op in graph.ops:
        read = {value.name for value in op.inputs} - products
        if isinstance(op, Softmax) or read & below:
            below.add(op.name)
    for op in reversed(graph.ops):
        if isinstance(op, Softmax) or op.name in above - products:
            above.update(value.name for value in op.inputs)
    return frozenset(products & (below | above))


class _Splitter:
    def __init__(self, builder: Rebuilder, of_attention: frozenset[str]) -> None:
        self.builder = builder
        self._of_attention = of_attention
        self._now: dict[str, Value] = {}  # name in the old graph -> value in the new one
        self._joined_here = set[str]()  # concatenations of what was split
        self._parts: dict[tuple[str, StackPart], Value] = {}

    def now(self, value: Value) -> Value:
        return self._now.get(value.name, value)

    def copy(self, op: Op) -> None:
        op = replace(op, inputs=tuple(map(self.now, op.inputs)))
        if op.name in self._of_attention and 1 < op.output.shape[0] <= MOST:
            parts = finished(self._by_matrix(op) if isinstance(op, MatMul) else self._by_stack(op))
            self._now[op.name] = self._joined(op, parts)
        elif isinstance(op, (Linear, Concat)) and self._reads_parts(op):
            parts = finished(self._by_stack(op))
            self._now[op.name] = self._joined(op, parts)
        elif isinstance(op, (Permute, Reshape)):
            self._now[op.name] = finished(self._below_concat(op))
        else:
            self.builder.add(op)

    def _joined(self, op: Op, parts: Sequence[Value]) -> Value:
        self._joined_here.add(op.name)
        return self.builder.add(Concat(tuple(parts), op.output, 0, origin=op.origin))

    def _reads_parts(self, op: Linear | Concat) -> bool:
        """Return whether each row of the result is of one part alone, and all that is read was split."""
        by_rows = isinstance(op, Linear) or op.axis == len(op.output.shape) - 1
        return by_rows and all(value.name in self._joined_here for value in op.inputs)

    def _by_stack(self, op: Op) -> Steps[list[Value]]:
        """Split what goes row by row."""
        parts: list[Value] = []
        for h in range(op.output.shape[0]):
            inputs: list[Value] = []
            for value in op.inputs:
                inputs.append((yield self._part(value, (0, h, 1))))
            output = self.builder.fresh(op.output, (1, *op.output.shape[1:]))
            one = replace(op, inputs=tuple(inputs), output=output)
            if isinstance(one, BinSum):
                order, ends = (_rows_of(table, (0, h, 1)) for table in (one.order, one.ends))
                one = replace(one, order=order, ends=ends)
            parts.append(self.builder.add(one))
        return parts

    def _by_matrix(self, op: MatMul) -> Steps[list[Value]]:
        a, b = op.inputs
        parts: list[Value] = []
        for h in range(op.output.shape[0]):
            left = yield self._part(a, (0, h, 1))
            right = yield self._part(b, (0, h, 1))
            parts.append(self._with(op, left, right, (1, *op.output.shape[1:])))
        return parts

    def _with(self, op: MatMul, a: Value, b: Value, shape: tuple[int, ...]) -> Value:
        output = self.builder.fresh(op.output, shape)
        return self.builder.add(replace(op, inputs=(a, b), output=output))

    # slices, up

    def _part(self, value: Value, part: StackPart) -> Steps[Value]:
        axis, start, count = part
        if (start, count) == (0, value.shape[axis]):
            return value
        if (value.name, part) not in self._parts:
            self._parts[value.name, part] = yield self._cut(value, part)
        return self._parts[value.name, part]

    def _cut(self, value: Value, part: StackPart) -> Steps[Value]:
        axis, start, count = part
        shape = list(value.shape)
        shape[axis] = count
        output = self.builder.fresh(value, shape)
        data = self.builder.data(value)
        if data is not None:
            where = (*[slice(None)] * axis, slice(start, start + count))
            return self.builder.constant(output, data[where])
        op = self.builder.maker(value)
        above = None if op is None else (yield self._above(op, output, part))
        if isinstance(above, Value):
            return above
        return self.builder.add(above or Slice((value,), output, axis, start))

    def _above(self, op: Op, output: Value, part: StackPart) -> Steps[Op | Value | None]:
        """Return the operation on a part of its input, or that part; None where the whole output is needed."""
        axis, start, count = part
        last = axis == len(output.shape) - 1
        match op:
            case Linear() if last:
                rows = slice(start, start + count)
                return replace(
                    op,
                    output=output,
                    weight=op.weight[rows],
                    bias=op.bias[rows],
                    multiplier=op.multiplier[rows],
                )
            case Lookup() | Curve() | Add() | AddWide() | Rescale():
                pass
            case Linear() | Softmax() if not last:
                pass
            case Pick() if not last:
                op = replace(op, index=_rows_of(op.index, part))
            case BinSum() if not last:
                op = replace(op, order=_rows_of(op.order, part), ends=_rows_of(op.ends, part))
            case Norm() if axis < len(output.shape) - op.axes:
                pass
            case MatMul() if axis == 1:
                a = yield self._part(op.inputs[0], part)
                return replace(op, inputs=(a, op.inputs[1]), output=output)
            case Slice() if op.step == 1 and axis == op.axis:
                return (yield self._part(op.source, (axis, op.start + start, count)))
            case Slice() if op.step == 1:
                return (yield self._above_slice(op, output, part))
            case Concat() if axis == op.axis:
                return (yield self._inside(op, part))
            case Permute():
                source = yield self._part(op.source, (op.order[axis], start, count))
                return _permute(source, output, op.order, op)
            case Reshape():
                return (yield self._above_reshape(op, output, part))
            case _:
                return None
        inputs: list[Value] = []
        for value in op.inputs:
            inputs.append((yield self._part(value, part)))
        return replace(op, inputs=tuple(inputs), output=output)

    def _above_slice(self, op: Slice, output: Value, part: StackPart) -> Steps[Op | Value]:
        """Along another axis: after the slice itself has gone up, or before it where it cannot."""
        whole = yield self._part(op.source, (op.axis, op.start, op.output.shape[op.axis]))
        stays = self.builder.maker(whole)
        if not isinstance(stays, Slice) or stays.axis != op.axis:
            return (yield self._part(whole, part))
        source = yield self._part(stays.source, part)
        return replace(stays, inputs=(source,), output=output)

    def _inside(self, op: Concat, part: StackPart) -> Steps[Value | None]:
        """When it lies in one of what was put together."""
        axis, start, count = part
        for value in op.inputs:
            if start >= 0 and start + count <= value.shape[axis]:
                return (yield self._part(value, (axis, start, count)))
            start -= value.shape[axis]
        return None

    def _above_reshape(self, op: Op, output: Value, part: StackPart) -> Steps[Op | None]:
        """When the axis is the outermost of those that one axis of the source was cut into."""
        axis, start, count = part
        outer, whole = prod(op.output.shape[:axis]), op.output.shape[axis]
        seen = 1
        for place, size in enumerate(op.source.shape):
            if seen == outer and size > 1:
                if size % whole:
                    return None
                inner = size // whole
                source = yield self._part(op.source, (place, start * inner, count * inner))
                return Reshape((source,), output, origin=op.origin)
            seen *= size
        return None

    # concatenations, down

    def _below_concat(self, op: Permute | Reshape) -> Steps[Value]:
        concat = self.builder.maker(op.source)
        if isinstance(concat, Concat):
            axis = _axis_after(op, concat.axis)
            if axis is not None:
                parts: list[Value] = []
                for value in concat.inputs:
                    parts.append((yield self._moved(op, value, axis)))
                return self.builder.add(Concat(tuple(parts), op.output, axis, origin=op.origin))
        return self.builder.add(op)

    def _moved(self, op: Permute | Reshape, value: Value, axis: int) -> Steps[Value]:
        shape = list(op.output.shape)
        shape[axis] = value.size // prod(shape[:axis] + shape[axis + 1 :])
        output = self.builder.fresh(replace(value, name=op.name), shape)
        if isinstance(op, Permute):
            return self.builder.add(_permute(value, output, op.order, op))
        return (yield self._below_concat(Reshape((value,), output, origin=op.origin)))


def _rows_of(table: np.ndarray, part: StackPart) -> np.ndarray:
    axis, start, count = part
    return table if table.shape[axis] == 1 else table.take(range(start, start + count), axis)


def _permute(source: Value, output: Value, order: tuple[int, ...], op: Op) -> Op:
    """Return a reshape where only axes of one element change places."""
    long = [axis for axis in order if source.shape[axis] > 1]
    if long == sorted(long):
        return Reshape((source,), output, origin=op.origin)
    return Permute((source,), output, order, origin=op.origin)


def _axis_after(op: Permute | Reshape, axis: int) -> int | None:
    """Where the axis that was concatenated along is afterwards: the outermost part of an axis, or None."""
    if isinstance(op, Permute):
        return op.order.index(axis)
    outer = prod(op.source.shape[:axis])
    seen = 1
    for place, size in enumerate(op.output.shape):
        if seen == outer and size > 1:
            return place if size % op.source.shape[axis] == 0 else None
        seen *= size
    return None
