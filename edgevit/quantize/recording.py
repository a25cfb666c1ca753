"""One run of a program per calibration input, with an observer at every value that needs a grid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.errors import CalibrationError
from edgevit.graph.aten import argument, has_argument, kind, operand
from edgevit.graph.execute import Look
from edgevit.graph.program import Inputs, Program, origin, shape
from edgevit.quantize.divisions import Divisions, factor_of
from edgevit.quantize.input_covariance import CovarianceAccumulator, Moments
from edgevit.quantize.observers import Observer
from edgevit.quantize.op_traits import ORDERS, PROJECTIONS, is_move
from edgevit.quantize.shared_weights import sharing, together

_WINDOW = ("stride", "padding", "dilation", "groups")
_ROOM = 1 / 32  # of a range
_UNSEEN = 10.0  # exp(-10) of the largest is less than half a step of 8 bits


@dataclass(frozen=True)
class Recorded:
    observers: dict[Node, Observer]
    moments: dict[Node, Moments]  # of each projection's input
    outputs: tuple[tuple[torch.Tensor, ...], ...] = ()  # of each run


_NOTHING = Recorded({}, {})


def record(
    program: Program,
    nodes: Sequence[Node],
    batches: Sequence[Inputs],
    make: Callable[[], Observer],
    covariance: bool = True,
    ordered: Callable[[], Observer] | None = None,
    earlier: Recorded = _NOTHING,
) -> Recorded:
    """Observe `nodes`, and with `covariance` the inputs of each projection; `ordered` are those that are put in order.

    What `earlier` runs have shown is not observed anew.
    """
    new = [node for node in nodes if node not in earlier.observers]
    observers = {node: (ordered if ordered and _is_ordered(node) else make)() for node in new}
    watched = {node.name: node for node in new}
    projections = projections_of(program) if covariance else ()
    unknown = [node for node in projections if node not in earlier.moments]
    readers: dict[str, dict[object, Node]] = defaultdict(dict)  # of those that read alike, one
    for node in unknown:
        readers[operand(node).name][window_key(node)] = node
    divisions = Divisions(program, new)
    gathered = {
        (name, key): CovarianceAccumulator(node, len(batches))
        for name, projections in readers.items()
        for key, node in projections.items()
    }

    def look(node: Node, result: Any) -> None:
        original = watched.get(node.name)
        if original is not None:
            if not _is_finite(result) and not (_masked(original) or _ranked(original)):
                raise _not_finite(original)
            if original not in divisions:
                observers[original].observe(_as_read(original, result).detach().numpy())
        for divisor, values, weight in divisions.seen(node, result):
            observers[divisor].observe(values, weight)
        for key in readers.get(node.name, ()):
            gathered[node.name, key].update(result)

    names = {*watched, *readers, *divisions.names}
    needs_runs = names or not earlier.outputs
    outputs = run_looking(program, batches, look, names) if needs_runs else earlier.outputs
    of_reads = {key: sums.moments() for key, sums in gathered.items()}
    each = {node: of_reads[operand(node).name, window_key(node)] for node in unknown}
    moments = {**earlier.moments, **{node: one for node, one in each.items() if one is not None}}
    return Recorded(
        {node: earlier.observers.get(node) or observers[node] for node in nodes},
        together(moments, sharing(program) if moments else ()),
        outputs,
    )


def projections_of(program: Program) -> list[Node]:
    """List the linear and convolution calls."""
    return [node for node in program.calls() if kind(node) in PROJECTIONS]


def window_key(node: Node) -> object:
    """Return what decides which of the numbers that a projection reads its weights are multiplied with."""
    of_window = [argument(node, name) for name in _WINDOW if has_argument(node, name)]
    extents = shape(argument(node, "weight"))[1:]  # of channels and taps
    return kind(node), extents, repr(of_window)


def run_looking(
    program: Program, batches: Sequence[Inputs], look: Look, names: Container[str] | None = None
) -> tuple[tuple[torch.Tensor, ...], ...]:
    """Run the inputs, and call `look` with every call, or those of `names`, and its result, once for each input."""
    run = program.graph_run()
    with torch.no_grad():
        return tuple(run.run_all(batches, look, names))


def _is_finite(result: torch.Tensor) -> bool:
    """Check all numbers, one by one only where their sum is none."""
    return bool(result.sum().isfinite()) or bool(result.isfinite().all())


def is_seen_whole(node: Node, program: Program) -> bool:
    """Check for a value that is observed as it is, whatever reads it."""
    return not (_masked(node) or _ranked(node) or factor_of(node, program))


def _masked(node: Node) -> bool:
    return bool(node.users) and all(kind(user) == "softmax" for user in node.users)


def _is_ordered(node: Node) -> bool:
    return any(kind(user) in ORDERS or (is_move(user) and _is_ordered(user)) for user in node.users)


def _ranked(node: Node) -> bool:
    """Check for a value that is only put in order, where an infinity says what comes last."""
    return bool(node.users) and all(
        kind(user) in ORDERS or (is_move(user) and _ranked(user)) for user in node.users
    )


def _as_read(node: Node, result: torch.Tensor) -> torch.Tensor:
    """Clip values far below the row maximum before a softmax, which cannot see them: a mask, for
    one.
    """
    if _ranked(node):
        return _with_room(result)
    if not _masked(node):
        return result
    dims = {argument(user, "dim") for user in node.users}
    if len(dims) > 1:
        return result
    return result.maximum(result.amax(dims.pop(), keepdim=True) - _UNSEEN)


def _with_room(result: torch.Tensor) -> torch.Tensor:
    """Put infinities behind all other values, by a few steps of 8 bits: they have no equals then."""
    finite = result[result.isfinite()]
    if finite.numel() in {0, result.numel()}:
        return result
    low, high = finite.min(), finite.max()
    room = _ROOM * (high - low)
    return result.clamp(low - room, high + room)


def _not_finite(node: Node) -> CalibrationError:
    return CalibrationError(
        f"`{kind(node) or node.name}` gives infinities or NaN on calibration input",
        where=str(origin(node)),
        why="no grid of integers holds them",
        hint="check the model's weights, and that the calibration data is what it was trained on",
    )
