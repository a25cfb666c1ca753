"""Host simulation of an integer graph, the golden model that every core has to equal bit for
bit.
"""

from __future__ import annotations

import numpy as np

from edgevit.integer.graph import IntegerGraph


def simulate(graph: IntegerGraph, inputs: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    """Return every value by name."""
    found = {constant.value.name: constant.data for constant in graph.constants}
    for value, data in zip(graph.inputs, inputs, strict=True):
        if data.shape != value.shape or data.dtype != value.dtype:
            raise ValueError(f"{value.name} is {value}, not {data.dtype}{list(data.shape)}")
        found[value.name] = data
    for op in graph.ops:
        result = op.run(*(found[value.name] for value in op.inputs))
        found[op.name] = result
    return found


def outputs_of(graph: IntegerGraph, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    found = simulate(graph, inputs)
    return tuple(found[value.name] for value in graph.outputs)
