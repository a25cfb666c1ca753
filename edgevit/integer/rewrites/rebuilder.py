"""Rebuilder of a rewritten graph: operations in order, constants on the way.

Values that are never read are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from edgevit.integer.graph import Constant, IntegerGraph, Op, Value
from edgevit.integer.ops.moves import Reshape


class Rebuilder:
    """Rebuilder that starts with the inputs and constants of `graph`, and none of its operations."""

    def __init__(self, graph: IntegerGraph) -> None:
        self._graph = graph
        self._made: dict[str, Op] = {}
        self._constants = {constant.value.name: constant for constant in graph.constants}
        self._names = {value.name for value in graph.values()}

    def add(self, op: Op) -> Value:
        """Add an operation. A reshape of a reshape becomes one."""
        below = self.maker(op.source) if isinstance(op, Reshape) else None
        if isinstance(below, Reshape):
            op = replace(op, inputs=below.inputs)
        self._made[op.name] = op
        return op.output

    def maker(self, value: Value) -> Op | None:
        """Return the operation that makes a value; None for inputs and constants."""
        return self._made.get(value.name)

    def data(self, value: Value) -> np.ndarray | None:
        """Return the data of a constant; None for another value."""
        constant = self._constants.get(value.name)
        return constant.data if constant else None

    def constant(self, value: Value, data: np.ndarray) -> Value:
        self._constants[value.name] = Constant(value, np.ascontiguousarray(data))
        return value

    def fresh(self, like: Value, shape: Sequence[int]) -> Value:
        """Create a value with the scale of another, under a name of its own."""
        stem, count = like.name, 1
        while f"{stem}.{count}" in self._names:
            count += 1
        self._names.add(f"{stem}.{count}")
        return replace(like, name=f"{stem}.{count}", shape=tuple(shape))

    def graph(self, outputs: Iterable[Value]) -> IntegerGraph:
        outputs = tuple(outputs)
        needed = {value.name for value in outputs}
        live: list[Op] = []
        for op in reversed(self._made.values()):
            if op.name in needed:
                live.append(op)
                needed.update(value.name for value in op.inputs)
        constants = tuple(c for c in self._constants.values() if c.value.name in needed)
        return replace(
            self._graph, constants=constants, ops=tuple(reversed(live)), outputs=outputs
        ).verify()
