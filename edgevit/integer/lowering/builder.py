"""An integer graph under construction, and torch tensors as the values in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgevit.graph.program import Origin
from edgevit.integer.graph import Constant, IntegerGraph, Op, Value
from edgevit.integer.lowering.layout import TensorLayout
from edgevit.integer.ops.moves import Permute, Reshape
from edgevit.quantize import Grid


@dataclass(frozen=True)
class QuantTensor:
    """A torch tensor: an integer value, how its axes lie there, and a factor that it stands for besides its scale."""

    value: Value
    layout: TensorLayout
    factor: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layout.shape

    @property
    def grid(self) -> Grid:
        return Grid(self.value.scale * self.factor, self.value.zero, self.value.dtype)

    def dequantized(self, integers: np.ndarray) -> np.ndarray:
        """Dequantise integers into torch's axis order."""
        places = [place for axis in self.layout.axes for place in axis]
        array = self.value.dequantized(integers).reshape(self.layout.sizes)
        return (array.transpose(places) * self.factor).reshape(self.shape)


class Builder:
    """Builder of an integer graph. Names are unique; the same view of a value is made only once."""

    def __init__(self) -> None:
        self.origin = Origin()
        self._ops: dict[str, Op] = {}
        self._constants: dict[str, Constant] = {}
        self._inputs: list[Value] = []
        self._names: set[str] = set()
        self._moved: dict[tuple[str, str, tuple[int, ...]], Value] = {}

    def value(self, stem: str, shape: Sequence[int], grid: Grid) -> Value:
        return Value(self._unique(stem), tuple(shape), grid.dtype, grid.scale, grid.zero)

    def input(self, stem: str, shape: Sequence[int], grid: Grid) -> Value:
        self._inputs.append(self.value(stem, shape, grid))
        return self._inputs[-1]

    def add(self, op: Op) -> Value:
        op.check()
        self._ops[op.name] = replace(op, origin=self.origin)
        return op.output

    def constant(self, stem: str, data: np.ndarray, grid: Grid) -> Value:
        """Add a constant of real numbers."""
        value = self.value(stem, data.shape, grid)
        self._constants[value.name] = Constant(value, np.ascontiguousarray(grid.quantized(data)))
        return value

    def shaped(self, value: Value, shape: Sequence[int]) -> Value:
        """Reshape without moving bytes."""
        maker = self._ops.get(value.name)
        if isinstance(maker, Reshape):
            value = maker.source
        if value.shape == tuple(shape):
            return value
        key = (value.name, "shape", tuple(shape))
        if key not in self._moved:
            output = self._like(value, f"{value.name}.shaped", shape)
            self._moved[key] = self.add(Reshape((value,), output))
        return self._moved[key]

    def is_input(self, value: Value) -> bool:
        """Check for an input of the graph, or a view of one."""
        maker = self._ops.get(value.name)
        source = maker.source if isinstance(maker, Reshape) else value
        return source in self._inputs

    def permuted(self, value: Value, order: tuple[int, ...]) -> Value:
        key = (value.name, "order", order)
        if key not in self._moved:
            shape = [value.shape[axis] for axis in order]
            output = self._like(value, f"{value.name}.turned", shape)
            self._moved[key] = self.add(Permute((value,), output, order))
        return self._moved[key]

    def like(self, value: Value, stem: str, shape: Sequence[int]) -> Value:
        """Create a value on the same grid."""
        return self._like(value, stem, shape)

    def graph(self, name: str, outputs: Sequence[Value]) -> IntegerGraph:
        """Build the graph without the operations and constants that no output needs."""
        needed = {value.name for value in outputs}
        live: list[Op] = []
        for op in reversed(self._ops.values()):
            if op.name in needed:
                live.append(op)
                needed.update(value.name for value in op.inputs)
        constants = tuple(c for c in self._constants.values() if c.value.name in needed)
        ops = tuple(reversed(live))
        return IntegerGraph(name, tuple(self._inputs), constants, ops, tuple(outputs)).verify()

    def _like(self, value: Value, stem: str, shape: Sequence[int]) -> Value:
        return replace(value, name=self._unique(stem), shape=tuple(shape))

    def _unique(self, stem: str) -> str:
        name, count = stem, 1
        while name in self._names:
            name, count = f"{stem}.{count}", count + 1
        self._names.add(name)
        return name
