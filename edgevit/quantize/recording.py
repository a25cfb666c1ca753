"""One run of a program per calibration input, with an observer at every value that needs a grid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.errors import CalibrationError
from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.execute import Look
from edgevit.graph.program import Inputs, Program, origin
from edgevit.quantize.divisions import Divisions
from edgevit.quantize.input_covariance import CovarianceAccumulator, Moments
from edgevit.quantize.observers import Observer
from edgevit.quantize.op_traits import PROJECTIONS

_UNSEEN = 10.0  # exp(-10) of the largest is less than half a step of 8 bits


@dataclass(frozen=True)
class Recorded:
    observers: dict[Node, Observer]
    moments: dict[Node, Moments]  # of each projection's input


def record(
    program: Program,
    nodes: Sequence[Node],
    batches: Sequence[Inputs],
    make: Callable[[], Observer],
    covariance: bool = True,
) -> Recorded:
    """Observe `nodes`, and with `covariance` the inputs of each projection."""
    observers = {node: make() for node in nodes}
    watched = {node.name: node for node in nodes}
    readers = _projections(program) if covariance else {}
    divisions = Divisions(program, nodes)
    gathered = {
        node: CovarianceAccumulator(node, len(batches))
        for projections in readers.values()
        for node in projections
    }

    def look(node: Node, result: Any) -> None:
        original = watched.get(node.name)
        if original is not None:
            if not bool(torch.isfinite(result).all()) and not _masked(original):
                raise _not_finite(original)
            if original not in divisions:
                observers[original].observe(_as_read(original, result).detach().numpy())
        for divisor, values, weight in divisions.seen(node, result):
            observers[divisor].observe(values, weight)
        for reader in readers.get(node.name, ()):
            gathered[reader].update(result)

    run_looking(program, batches, look)
    moments = {node: sums.moments() for node, sums in gathered.items()}
    return Recorded(observers, {node: of for node, of in moments.items() if of is not None})


def _projections(program: Program) -> dict[str, list[Node]]:
    """Group linear and convolution calls by the name of the value they read."""
    projections: dict[str, list[Node]] = defaultdict(list)
    for node in program.calls():
        if kind(node) in PROJECTIONS:
            projections[operand(node).name].append(node)
    return projections


def run_looking(program: Program, batches: Sequence[Inputs], look: Look) -> None:
    """Run the inputs, and call `look` with every call and its result, once for each input."""
    run = program.graph_run()
    with torch.no_grad():
        for batch in batches:
            run.run(batch, look)


def _masked(node: Node) -> bool:
    return bool(node.users) and all(kind(user) == "softmax" for user in node.users)


def _as_read(node: Node, result: torch.Tensor) -> torch.Tensor:
    """Clip values far below the row maximum before a softmax, which cannot see them: a mask, for
    one.
    """
    if not _masked(node):
        return result
    dims = {argument(user, "dim") for user in node.users}
    if len(dims) > 1:
        return result
    return result.maximum(result.amax(dims.pop(), keepdim=True) - _UNSEEN)


def _not_finite(node: Node) -> CalibrationError:
    return CalibrationError(
        f"`{kind(node) or node.name}` gives infinities or NaN on calibration input",
        where=str(origin(node)),
        why="no grid of integers holds them",
        hint="check the model's weights, and that the calibration data is what it was trained on",
    )
