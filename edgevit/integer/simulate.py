"""Host simulation of an integer graph, the golden model that every core has to equal bit for
bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgevit.integer.graph import IntegerGraph


def simulate(graph: IntegerGraph, inputs: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    """Return every value by name."""
    arrays = {constant.value.name: constant.data for constant in graph.constants}
    for value, data in zip(graph.inputs, inputs, strict=True):
        if data.shape != value.shape or data.dtype != value.dtype:
            raise ValueError(f"{value.name} is {value}, not {data.dtype}{list(data.shape)}")
        arrays[value.name] = data
    for op in graph.ops:
        result = op.run(*(arrays[value.name] for value in op.inputs))
        arrays[op.name] = result
    return arrays


def outputs_of(graph: IntegerGraph, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    arrays = simulate(graph, inputs)
    return tuple(arrays[value.name] for value in graph.outputs)


def initial_states(graph: IntegerGraph) -> list[np.ndarray]:
    """Return the states before the first call."""
    return list(graph.initial)


def calls_of(
    graph: IntegerGraph, calls: Sequence[Sequence[np.ndarray]]
) -> list[tuple[np.ndarray, ...]]:
    """Return all outputs of one call after another, each of which takes over the states of the one before.

    Inputs are those that a call passes, without the states.
    """
    states = initial_states(graph)
    results: list[tuple[np.ndarray, ...]] = []
    for inputs in calls:
        whole = list(inputs)
        for (place, _), state in zip(graph.states, states, strict=True):
            whole.insert(place, state)
        results.append(outputs_of(graph, tuple(whole)))
        states = [results[-1][after] for _, after in graph.states]
    return results
