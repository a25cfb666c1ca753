"""Sensitivity: what the rounding of each single value, and of each weight, adds to the outputs' noise.

    noise(v) = sum of (rounding error x gradient)^2

Where a float value is copied to integers, the gradient is what comes back through the readers of the copy. One backward pass an input, from all outputs with random signs: errors of rounding are independent,
so that their squares add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.fx import Graph
from torch.fx.node import Node

from edgevit.graph import batch
from edgevit.graph.aten import argument, function_of, mapped_arguments
from edgevit.graph.execute import GraphRun
from edgevit.graph.program import Inputs, Program, copy_graph, has_tensor, value
from edgevit.quantize.encoding import LIMITS, Grid
from edgevit.quantize.weights import RoundedWeight

_SEED = 3_000_017
_NUMBERS = 2**25  # in all values of the runs that are traced together, which stay for the way back
Copied = Mapping[Node, Sequence[Node]]  # float values, and the calls that read a copy in integers
NO_COPIES: Copied = {}


@dataclass(frozen=True)
class Sensitivity:
    """Noise power relative to the outputs', by the name of what is rounded."""

    values: Mapping[str, float]
    weights: Mapping[str, float]  # by their calls


def sensitivity(
    program: Program,
    encodings: Mapping[Node, Grid],
    weights: Mapping[Node, RoundedWeight],
    runs: Sequence[Inputs],
    copied: Copied = NO_COPIES,
) -> Sensitivity:
    """Measure on a few runs; what no gradient reaches has no noise."""
    grids = {node.name: grid for node, grid in encodings.items()}
    rounded = {node.name: weight for node, weight in weights.items()}
    values, of_weights = dict.fromkeys(grids, 0.0), dict.fromkeys(rounded, 0.0)
    tracer = _Tracer(program, grids, rounded, copied)
    for traced in tracer.traces(runs, range(_SEED, _SEED + len(runs))):
        for name, (numbers, gradient) in traced.values.items():
            values[name] += rounding_noise(numbers, gradient, grids[name]) / len(runs)
        for name, (error, gradient) in traced.errors.items():
            of_weights[name] += _energy(error * gradient) / len(runs)
    return Sensitivity(values, of_weights)


# Numbers of several runs, in their order.
WithGradients = Mapping[str, tuple[torch.Tensor, torch.Tensor]]


def gradients(
    program: Program,
    names: Mapping[str, object],
    runs: Sequence[Inputs],
    copied: Copied = NO_COPIES,
) -> Iterator[WithGradients]:
    """Yield values of several runs by their names, each with its gradient; none where a call has no derivative."""
    tracer = _Tracer(program, names, {}, copied)
    for traced in tracer.traces(runs, [_SEED] * len(runs)):
        yield traced.values


class _Traced(NamedTuple):
    values: WithGradients  # what is rounded: a value, or its copy
    errors: WithGradients  # of the results of calls with rounded weights


class _TracedValue:
    """A value of several runs, or of one."""

    def __init__(self, result: torch.Tensor) -> None:
        self.numbers, self._axis = (
            batch.whole(result) if batch.holds_inputs(result) else (result, None)
        )

    def by_run(self) -> torch.Tensor:
        return self._in_order(self.numbers.detach())

    def gradient(self) -> torch.Tensor:
        assert self.numbers.grad is not None
        return self._in_order(self.numbers.grad)

    def _in_order(self, numbers: torch.Tensor) -> torch.Tensor:
        return numbers[None] if self._axis is None else numbers.movedim(self._axis, 0)


class _Tracer:
    """Runs in floats with gradients of what is rounded, and with each weight's error."""

    def __init__(
        self,
        program: Program,
        grids: Mapping[str, object],
        rounded: Mapping[str, RoundedWeight],
        copied: Copied,
    ) -> None:
        self._rounded = rounded
        self._constants = program.constants
        self._graph, copies = _with_copies(
            program, [node for node in copied if node.name in grids], copied
        )
        self._watched = {copies.get(name, name): name for name in grids}
        nodes = {node.name: node for node in self._graph.nodes}
        self._read = {read for name in rounded for read in nodes[name].all_input_nodes}
        total = sum(_numbers(node) for node in self._graph.nodes if node.op == "call_function")
        self._together = max(1, _NUMBERS // max(total, 1))

    def traces(self, runs: Sequence[Inputs], seeds: Sequence[int]) -> Iterator[_Traced]:
        """Run several inputs at a time where their calls allow, and else one after the other."""
        start = 0
        while start < len(runs):
            some = slice(start, start + self._together)
            try:
                traced = self._traced(runs[some], seeds[some])
            except Exception:
                if self._together == 1:
                    raise
                self._together = 1  # whatever torch says of a call that it cannot batch
                continue
            yield traced
            start += self._together

    def _traced(self, runs: Sequence[Inputs], seeds: Sequence[int]) -> _Traced:
        graph = GraphRun(self._graph, self._constants)
        results: dict[str, _TracedValue] = {}
        errors: dict[str, _TracedValue] = {}
        reads: dict[Node, torch.Tensor] = {}

        def look(node: Node, result: Any) -> None:
            if node in self._read:
                reads[node] = result
            is_watched = node.name in self._watched or node.name in self._rounded
            if not is_watched or not isinstance(result, torch.Tensor) or not _has_gradient(result):
                return
            results[node.name] = _TracedValue(result)
            if node.name in self._rounded:
                errors[node.name] = _TracedValue(self._weight_error(node, result, reads))

        def run(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return graph.run(inputs, look)

        inputs = [tuple(map(_with_gradient, one)) for one in runs]
        with torch.enable_grad():
            outputs = batch.run(run, inputs) if len(inputs) > 1 else [run(*inputs[0])]
            for one in results.values():
                one.numbers.retain_grad()
            sums = [
                total for pair in zip(outputs, seeds, strict=True) for total in _signed_sums(*pair)
            ]
            if sums:
                torch.autograd.backward([torch.stack(sums).sum()])
        reached = {name: one for name, one in results.items() if one.numbers.grad is not None}
        rounded = {
            self._watched[name]: one for name, one in reached.items() if name in self._watched
        }
        return _Traced(
            {name: (one.by_run(), one.gradient()) for name, one in rounded.items()},
            {
                name: (error.by_run(), reached[name].gradient())
                for name, error in errors.items()
                if name in reached
            },
        )

    def _weight_error(
        self, node: Node, result: torch.Tensor, reads: Mapping[Node, torch.Tensor]
    ) -> torch.Tensor:
        """Return what the call gives with its rounded weight and bias, less what it gives."""
        weight = self._rounded[node.name]
        others: dict[Node, torch.Tensor] = {argument(node, "weight"): weight.floats()}
        if (bias := argument(node, "bias")) is not None and weight.bias is not None:
            others[bias] = weight.bias
        args, kwargs = mapped_arguments(node, lambda read: others.get(read, reads.get(read)))
        with torch.no_grad():
            return batch.call(function_of(node), args, kwargs) - result


def _with_copies(
    program: Program, nodes: Sequence[Node], copied: Copied
) -> tuple[Graph, dict[str, str]]:
    """Return the graph with a copy of each node for those that read it in integers, and its name."""
    graph = copy_graph(program.graph)
    here = {node.name: node for node in graph.nodes}
    copies: dict[str, str] = {}
    for node in nodes:
        source = here[node.name]
        after = source if source.op != "placeholder" else here[program.placeholders()[-1].name]
        with graph.inserting_after(after):
            copy = graph.call_function(torch.ops.aten.alias.default, (source,))
        copy.meta = {"val": value(source)}
        for reader in copied[node]:
            here[reader.name].replace_input_with(source, copy)
        copies[node.name] = copy.name
    return graph, copies


def _numbers(node: Node) -> int:
    return value(node).numel() if has_tensor(node) else 0


def _has_gradient(result: torch.Tensor) -> bool:
    numbers = batch.whole(result)[0] if batch.holds_inputs(result) else result
    return numbers.requires_grad


def _signed_sums(outputs: Sequence[torch.Tensor], seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [_signed_sum(y, generator) for y in outputs if y.requires_grad]


def _with_gradient(x: torch.Tensor) -> torch.Tensor:
    return x.detach().clone().requires_grad_() if x.is_floating_point() else x


def _signed_sum(y: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return a sum whose gradient is of random signs, in units of the output's length."""
    signs = torch.randint(0, 2, y.shape, generator=generator).to(y.dtype) * 2 - 1
    return (y * signs).sum() / y.detach().square().sum().sqrt().clamp_min(1e-30)


def _rounding_error(x: torch.Tensor, grid: Grid) -> torch.Tensor:
    least, most = LIMITS[grid.dtype]
    steps = (x / grid.scale).round_().add_(grid.zero).clamp_(least, most)
    return steps.sub_(grid.zero).mul_(grid.scale).sub_(x)


def rounding_noise(x: torch.Tensor, gradient: torch.Tensor, grid: Grid) -> float:
    """Return what rounding a value adds to the outputs' noise, of which `gradient` comes."""
    return _energy(_rounding_error(x, grid).mul_(gradient))


def _energy(x: torch.Tensor) -> float:
    """Sum up the squares, which take the place of the numbers."""
    total = float(x.square_().sum(dtype=torch.float64))
    return total if total == total else 0.0
