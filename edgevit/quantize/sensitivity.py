"""Sensitivity: what the rounding of each single value, and of each weight, adds to the outputs' noise.

    noise(v) = sum of (rounding error x gradient)^2

Where a float value is copied to integers, the gradient is what comes back through the readers of the copy. One backward pass an input, from all outputs with random signs: errors of rounding are independent,
so that their squares add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.graph.aten import argument, mapped_arguments, run_call
from edgevit.graph.program import Inputs, Program
from edgevit.quantize.encoding import LIMITS, Grid
from edgevit.quantize.weights import RoundedWeight

_SEED = 3_000_017
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
    for number, inputs in enumerate(runs):
        tracer = _Tracer(program, grids, rounded, copied)
        tracer.backward(inputs, _SEED + number)
        for name, value in tracer.read.items():
            if value.grad is not None:
                noise = rounding_noise(value.detach(), value.grad, grids[name])
                values[name] += noise / len(runs)
        for name, result in tracer.computed.items():
            if result.grad is not None:
                of_weights[name] += _energy(tracer.errors[name] * result.grad) / len(runs)
    return Sensitivity(values, of_weights)


def gradients(
    program: Program,
    names: Mapping[str, object],
    runs: Iterable[Inputs],
    copied: Copied = NO_COPIES,
) -> Iterator[dict[str, tuple[torch.Tensor, torch.Tensor]]]:
    """Yield each run's values by their names, each with its gradient; none where a call has no derivative."""
    tracer = _Tracer(program, names, {}, copied)
    for inputs in runs:
        tracer.read.clear()
        tracer.backward(inputs, _SEED)
        yield {
            name: (value.detach(), value.grad)
            for name, value in tracer.read.items()
            if value.grad is not None
        }


class _Tracer(fx.Interpreter):
    """A run in floats with gradients of what is rounded, and with each weight's error."""

    def __init__(
        self,
        program: Program,
        grids: Mapping[str, object],
        rounded: Mapping[str, RoundedWeight],
        copied: Copied,
    ) -> None:
        super().__init__(program.module())
        self._grids, self._rounded = grids, rounded
        self._readers = {read.name: {one.name for one in by} for read, by in copied.items()}
        self.read: dict[str, torch.Tensor] = {}  # what is rounded: a value, or its copy
        self.computed: dict[str, torch.Tensor] = {}  # by calls with rounded weights
        self.errors: dict[str, torch.Tensor] = {}  # of the results of calls with rounded weights

    def backward(self, inputs: Inputs, seed: int) -> None:
        with torch.enable_grad():
            outputs = self.run(*(_with_gradient(x) for x in inputs))
            generator = torch.Generator().manual_seed(seed)
            sums = [_signed_sum(y, generator) for y in outputs if y.requires_grad]
            if sums:
                torch.autograd.backward([torch.stack(sums).sum()])

    def run_node(self, n: Node) -> Any:
        result = super().run_node(n)
        if n.name not in self._grids and n.name not in self._rounded:
            return result
        if not isinstance(result, torch.Tensor) or not result.requires_grad:
            return result
        result.retain_grad()
        if n.name in self._grids:
            self.read[n.name] = self._copy(n, result)
        if n.name in self._rounded:
            self.computed[n.name] = result
            self.errors[n.name] = self._weight_error(n, result)
        return result

    def _copy(self, node: Node, result: torch.Tensor) -> torch.Tensor:
        if node.name not in self._readers:
            return result
        copy = result.view_as(result)
        copy.retain_grad()
        return copy

    def map_nodes_to_values(self, args: Any, n: Node) -> Any:
        """Let a call that computes in integers read the copy."""

        def number(read: Node) -> Any:
            reads_copy = n.name in self._readers.get(read.name, ())
            return self.read.get(read.name, self.env[read]) if reads_copy else self.env[read]

        return fx.map_arg(args, number)

    def _weight_error(self, node: Node, result: torch.Tensor) -> torch.Tensor:
        """Return what the call gives with its rounded weight and bias, less what it gives."""
        weight = self._rounded[node.name]
        others = {argument(node, "weight"): weight.floats()}
        if (bias := argument(node, "bias")) is not None and weight.bias is not None:
            others[bias] = weight.bias

        def number(read: Node) -> Any:
            return others.get(read, self.env.get(read))

        args, kwargs = mapped_arguments(node, number)
        with torch.no_grad():
            return run_call(node, *args, **kwargs) - result


def _with_gradient(x: torch.Tensor) -> torch.Tensor:
    return x.detach().clone().requires_grad_() if x.is_floating_point() else x


def _signed_sum(y: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return a sum whose gradient is of random signs, in units of the output's length."""
    signs = torch.randint(0, 2, y.shape, generator=generator).to(y.dtype) * 2 - 1
    return (y * signs).sum() / y.detach().square().sum().sqrt().clamp_min(1e-30)


def _rounding_error(x: torch.Tensor, grid: Grid) -> torch.Tensor:
    least, most = LIMITS[grid.dtype]
    steps = ((x / grid.scale).round() + grid.zero).clamp(least, most)
    return (steps - grid.zero) * grid.scale - x


def rounding_noise(x: torch.Tensor, gradient: torch.Tensor, grid: Grid) -> float:
    """Return what rounding a value adds to the outputs' noise, of which `gradient` comes."""
    return _energy(_rounding_error(x, grid) * gradient)


def _energy(x: torch.Tensor) -> float:
    total = float(x.double().square().sum())
    return total if total == total else 0.0
