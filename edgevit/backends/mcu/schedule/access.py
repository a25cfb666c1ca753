"""Input rows that an operation needs for a row of its output.

A row is a position: one vector of channels. Operations over windows go by rows of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from edgevit.backends.mcu.schedule.packing import Pack, Packed
from edgevit.integer import IntegerGraph, Op, Value
from edgevit.integer.ops.columns import BinSum, Pick
from edgevit.integer.ops.moves import Concat, Reshape, Slice
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.pointwise import Add, AddWide, Curve, Lookup, Multiply, Rescale
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear, MatMul
from edgevit.integer.ops.selection import Order
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.ops.windows import AveragePool, MaxPool

WINDOWED = (Conv2d, Depthwise, AveragePool, MaxPool)


@dataclass(frozen=True)
class Same:
    """Access to the same position only."""


@dataclass(frozen=True)
class Sliding:
    """Access to `extent` image rows, from `stride * row - top` on."""

    stride: int
    top: int
    extent: int

    def upto(self, rows: int, height: int) -> int:
        """Return how many input rows are needed for the first `rows` output rows."""
        return max(0, min(height, (rows - 1) * self.stride - self.top + self.extent))

    def lowest(self, row: int) -> int:
        return max(0, row * self.stride - self.top)


@dataclass(frozen=True)
class WholeInput:
    """Access to the whole input, before anything is computed."""


Access = Same | Sliding | WholeInput
SAME, WHOLE = Same(), WholeInput()


@lru_cache(maxsize=1 << 16)
def access(op: Op, index: int) -> Access:
    """Return the access to the operation's input `index`."""
    match op:
        case Conv2d() | Depthwise() | AveragePool() | MaxPool():
            window = op.window
            return Sliding(window.stride[0], window.padding[0], window.spans[0])
        case Linear() | Softmax() | Lookup() | Curve() | Add() | AddWide() | Rescale() | Order():
            return SAME
        case Pick() | BinSum():
            return SAME
        case Norm() if op.length == op.source.shape[-1]:
            return SAME
        case Multiply() if op.inputs[index].rows == op.output.rows:
            return SAME
        case MatMul() if index == 0 and op.output.shape[0] == 1:
            return SAME
        case Pack():
            return SAME
        case Packed() if index == 0:
            return SAME
        case Concat() | Slice() if op.axis == len(op.output.shape) - 1:
            return SAME
        case Reshape() if keeps_rows(op):
            return SAME
    return WHOLE


def moves(op: Op) -> bool:
    """Return whether a call writes only the rows it makes, behind the pointer it is given."""
    return not isinstance(op, (*WINDOWED, Pack))


def keeps_rows(op: Reshape) -> bool:
    """Return whether a reshape keeps the positions and only renames them."""
    return op.source.shape[-1] == op.output.shape[-1]


def storage_of(graph: IntegerGraph) -> dict[str, Value]:
    """Map each value to the one whose bytes it uses; reshapes have no bytes of their own."""
    storage = {value.name: value for value in graph.values()}
    for op in graph.ops:
        if isinstance(op, Reshape):
            storage[op.name] = storage[op.source.name]
    return storage
