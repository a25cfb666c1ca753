"""One run of a program for each calibration input, with an observer at every value that will be on a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.errors import EdgevitError
from edgevit.graph.aten import argument, kind
from edgevit.graph.program import Inputs, Program, origin
from edgevit.quant.observers import Observer

_UNSEEN = 10.0  # exp(-10) of the largest is less than half a step of 8 bits
Look = Callable[[Node, Any], None]


def record(
    program: Program, nodes: Sequence[Node], batches: Sequence[Inputs], make: Callable[[], Observer]
) -> dict[Node, Observer]:
    observers = {node: make() for node in nodes}
    by_name = {node.name: node for node in nodes}

    def look(node: Node, result: Any) -> None:
        known = by_name.get(node.name)
        if known is None:
            return
        if not bool(torch.isfinite(result).all()) and not _masked(known):
            raise _not_finite(known)
        observers[known].see(_as_read(known, result).detach().numpy())

    for batch in batches:
        run_looking(program, batch, look)
    return observers


def run_looking(program: Program, inputs: Inputs, look: Look) -> None:
    with torch.no_grad():
        _Looking(program.module(), look).run(*inputs)


class _Looking(fx.Interpreter):
    def __init__(self, module: fx.GraphModule, look: Look) -> None:
        super().__init__(module)
        self._look = look

    def run_node(self, n: Node) -> Any:
        result = super().run_node(n)
        self._look(n, result)
        return result


def _masked(node: Node) -> bool:
    return bool(node.users) and all(kind(user) == "softmax" for user in node.users)


def _as_read(node: Node, result: torch.Tensor) -> torch.Tensor:
    """A softmax does not see what is far below the largest of its row: a mask, for one."""
    if not _masked(node):
        return result
    dims = {argument(user, "dim") for user in node.users}
    if len(dims) > 1:
        return result
    return result.maximum(result.amax(dims.pop(), keepdim=True) - _UNSEEN)


def _not_finite(node: Node) -> EdgevitError:
    return EdgevitError(
        f"`{kind(node) or node.name}` gives infinities or NaN on calibration input",
        where=str(origin(node)),
        why="no grid of integers holds them",
        hint="check the model's weights, and that the calibration data is what it was trained on",
    )
