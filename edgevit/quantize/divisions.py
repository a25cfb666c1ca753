"""Reciprocals that a product reads: what an error in one is worth is the square of what it is multiplied with.

    x * reciprocal(y)       (q @ (k^T v)) / (q @ sum k + eps) where q is nearly zero: 0 * 1e5

Such a reciprocal is largest where nothing is multiplied with it, and a grid that reaches there has one step for all the
others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.program import Program
from edgevit.quantize.op_traits import is_constant, is_real

_STEPS = 256  # of the largest factor: what is less than half a step is zero on 8 bits


class Divisions:
    """Of the reciprocals among `nodes`: both factors' results are there until the product can be weighed.

    Several runs go through the graph together: each node gives a result for every run before the next node gives any.
    """

    def __init__(self, program: Program, nodes: Sequence[Node]) -> None:
        self._waiting: dict[Node, dict[str, deque[torch.Tensor]]] = {
            node: {node.name: deque(), factor.name: deque()}
            for node in nodes
            if (factor := factor_of(node, program)) is not None
        }

    @property
    def names(self) -> set[str]:
        """Return the names of what is looked at."""
        return {name for waiting in self._waiting.values() for name in waiting}

    def __contains__(self, node: Node) -> bool:
        return node in self._waiting

    def seen(self, node: Node, result: Any) -> Iterator[tuple[Node, np.ndarray, np.ndarray | None]]:
        """Return the reciprocals whose other factor is there now, each with its values and their weights."""
        for reciprocal, waiting in self._waiting.items():
            if node.name not in waiting:
                continue
            waiting[node.name].append(result)
            if all(waiting.values()):
                values, factor = (results.popleft() for results in waiting.values())
                yield reciprocal, *_weighted(values, factor)


def factor_of(node: Node, program: Program) -> Node | None:
    """Return what a reciprocal is multiplied with, where nothing else reads it."""
    if kind(node) != "reciprocal" or len(node.users) != 1:
        return None
    (user,) = node.users
    if kind(user) != "mul" or any(is_constant(term, program) for term in user.all_input_nodes):
        return None
    return next((t for t in user.all_input_nodes if t is not node and is_real(t)), None)


def _weighted(values: torch.Tensor, factor: torch.Tensor) -> tuple[np.ndarray, np.ndarray | None]:
    """Without the places that only zeros are multiplied with."""
    energy = _summed_to(factor.double() ** 2, values.shape)
    least = (float(factor.abs().max()) / (2 * _STEPS)) ** 2
    counts = energy > least
    if not counts.any():
        return values.numpy(), None
    return values[counts].numpy(), energy[counts].numpy()


def _summed_to(x: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Along what the reciprocal is spread over; what is itself spread stays."""
    apart = x.dim() - len(shape)
    x = x.sum(tuple(range(apart))) if apart > 0 else x
    for axis in range(1, x.dim() + 1):
        if shape[-axis] == 1 and x.shape[-axis] > 1:
            x = x.sum(-axis, keepdim=True)
    return x.expand(shape)
