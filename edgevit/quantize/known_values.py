"""What the trials of one format have observed, for the formats whose programs have the same values.

The formats' programs are the same function in other calls. A value that has the same numbers and the same gradient on one
input is the same value: its ranges, and what each grid costs the outputs, are known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch.fx import Graph
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.program import Inputs, Outputs, Program
from edgevit.graph.tensors import norm
from edgevit.quantize.held_out import Judges
from edgevit.quantize.input_covariance import Moments
from edgevit.quantize.observers import RANGES, Observer
from edgevit.quantize.op_traits import bounds
from edgevit.quantize.own_ranges import observe_gradients
from edgevit.quantize.ranges import Several
from edgevit.quantize.recording import (
    Recorded,
    is_seen_whole,
    projections_of,
    record,
    run_looking,
    window_key,
)
from edgevit.quantize.sensitivity import Copied, gradients
from edgevit.quantize.value_ranges import GridCosts
from edgevit.quantize.weights import CompensatedWeights

_SAME = 1e-4  # relative L2
_NUMBERS = 4096  # of a value, at equal distances


class _Sample(NamedTuple):
    """Some numbers of a value on the first input, by which it is recognised."""

    shape: torch.Size
    numbers: torch.Tensor
    length: float

    @classmethod
    def of(cls, x: torch.Tensor) -> _Sample:
        flat = x.detach().flatten()
        numbers = flat[:: -(-flat.numel() // _NUMBERS) or 1].double()
        return cls(x.shape, numbers, norm(numbers))

    def is_near(self, other: _Sample) -> bool:
        alike = abs(self.length - other.length) <= _SAME * self.length
        if (
            self.shape != other.shape or not alike or self.length == 0
        ):  # other inputs tell zeros apart
            return False
        return norm(self.numbers - other.numbers) <= _SAME * self.length


class _Seen(NamedTuple):
    """A value on the first input, with its gradient if it has one."""

    value: _Sample
    bounds: tuple[float, float] | None  # of a clamp, which this input may not reach
    gradient: _Sample | None

    def is_near(self, other: _Seen) -> bool:
        if self.bounds != other.bounds:
            return False
        if self.gradient is None or other.gradient is None:
            return self.gradient is other.gradient and self.value.is_near(other.value)
        return self.value.is_near(other.value) and self.gradient.is_near(other.gradient)


class _Value(NamedTuple):
    seen: _Seen
    observer: Observer
    costs: GridCosts


class _Projection(NamedTuple):
    read: _Sample
    moments: Moments


class _Floats(NamedTuple):
    """A program's outputs, and the runs that judge it."""

    graph: Graph
    sample: Sequence[_Sample]
    outputs: tuple[Outputs, ...]
    judges: Judges


class ObservedProgram(NamedTuple):
    """What a program's trials need of its runs in floats."""

    recorded: Recorded
    costs: Mapping[Node, GridCosts]
    judges: Judges


class KnownValues:
    """Of one set of calibration inputs."""

    def __init__(self) -> None:
        self.weights = CompensatedWeights()
        self._values: dict[torch.Size, list[_Value]] = defaultdict(list)
        self._projections: dict[object, list[_Projection]] = defaultdict(list)
        self._floats: list[_Floats] = []

    def observed(
        self,
        program: Program,
        nodes: Sequence[Node],
        copied: Copied,
        fitted: Sequence[Inputs],
        judges: Sequence[Inputs],
    ) -> ObservedProgram:
        """Observe the values of a program, but for those that are known."""
        samples, outputs = _samples(program, nodes, fitted[0])
        seen = _with_gradients(
            program, {node: samples[node.name] for node in nodes}, fitted[0], copied
        )
        floats = self._floats_of(program, outputs)
        values = {node: one for node in nodes if (one := self._value(seen[node]))}
        moments = {
            node: one
            for node in projections_of(program)
            if (one := self._moments(node, samples[operand(node).name]))
        }
        earlier = Recorded(
            {node: one.observer for node, one in values.items()},
            moments,
            floats.outputs if floats else (),
        )
        recorded = record(program, nodes, fitted, lambda: Several(RANGES), earlier=earlier)
        new = {node: one for node, one in recorded.observers.items() if node not in values}
        if new:
            observe_gradients(program, new, fitted, copied)
        for node, observer in new.items():
            values[node] = _Value(seen[node], observer, {})
            if is_seen_whole(node, program):
                self._values[seen[node].value.shape].append(values[node])
        for node, one in recorded.moments.items():
            if node not in moments and not one.shared:
                read = samples[operand(node).name]
                self._projections[window_key(node)].append(_Projection(read, one))
        if floats is None:
            judging = Judges.of(program, judges)
            floats = _Floats(program.graph, outputs, recorded.outputs, judging)
            self._floats.append(floats)
        costs = {node: one.costs for node, one in values.items()}
        return ObservedProgram(recorded, costs, floats.judges)

    def _value(self, seen: _Seen) -> _Value | None:
        alike = self._values[seen.value.shape]
        return next((one for one in alike if one.seen.is_near(seen)), None)

    def _moments(self, node: Node, read: _Sample) -> Moments | None:
        alike = self._projections[window_key(node)]
        return next((one.moments for one in alike if one.read.is_near(read)), None)

    def _floats_of(self, program: Program, outputs: Sequence[_Sample]) -> _Floats | None:
        """Return the outputs of a program that is the same function; rows in order of a score may be in another order."""
        for one in self._floats:
            in_order = any(one.judges.rankings) and one.graph is not program.graph
            pairs = zip(one.sample, outputs, strict=True)
            if not in_order and all(a.is_near(b) for a, b in pairs):
                return one
        return None


def _samples(
    program: Program, nodes: Sequence[Node], inputs: Inputs
) -> tuple[dict[str, _Sample], list[_Sample]]:
    """Return samples of the values, of what projections read, and of the outputs."""
    read = (operand(node) for node in projections_of(program))
    names = {node.name for node in (*nodes, *read)}
    samples: dict[str, _Sample] = {}

    def look(node: Node, result: Any) -> None:
        samples[node.name] = _Sample.of(result)

    (outputs,) = run_looking(program, [inputs], look, names)
    return samples, [_Sample.of(one) for one in outputs]


def _with_gradients(
    program: Program, samples: Mapping[Node, _Sample], inputs: Inputs, copied: Copied
) -> dict[Node, _Seen]:
    names = {node.name: node for node in samples}
    slopes: dict[Node, _Sample] = {}
    for values in gradients(program, names, [inputs], copied):
        slopes |= {names[name]: _Sample.of(slope[0]) for name, (_, slope) in values.items()}
    return {node: _Seen(sample, bounds(node), slopes.get(node)) for node, sample in samples.items()}
