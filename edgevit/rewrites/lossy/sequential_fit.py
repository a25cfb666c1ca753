"""Layers changed one after another, each fitted to what the original computes, on what the changed ones before it give it.

Two copies of the program run side by side, node by node, over all calibration inputs: the original, and one whose layers
are changed as they are reached. So a layer makes up for what is lost before it, in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.calls import weighted_at
from edgevit.graph.program import Inputs, Program, shape
from edgevit.graph.tensors import inverse

_DAMPING = 1e-4  # of the mean variance
_MOST = 64  # inputs: what is alive of each is in memory, twice


@dataclass(frozen=True)
class PairedMoments:
    """What a layer reads, of the changed program and of the original."""

    mean: torch.Tensor  # of the changed
    original_mean: torch.Tensor
    covariance: torch.Tensor  # of the changed
    crossed: torch.Tensor  # original x changed

    def nearest(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the weight that computes from the changed inputs what `weight` does from the original."""
        damping = _DAMPING * self.covariance.diagonal().mean().clamp(min=1e-12)
        damped = self.covariance + damping * torch.eye(len(self.covariance)).double()
        return weight + weight @ (self.crossed - self.covariance) @ inverse(damped)


@dataclass(frozen=True)
class Changed:
    weight: torch.Tensor
    bias: torch.Tensor


Change = Callable[[Node, PairedMoments], Changed]


def fitted_in_order(
    program: Program, calls: Sequence[str], samples: Sequence[Inputs], change: Change
) -> dict[str, Changed]:
    """Call `change` for each of the calls, by name, in order, and go on with what it returns."""
    changes: dict[str, Changed] = {}
    module = program.module()
    runs = [_Pair(module, inputs) for inputs in samples[:_MOST]]
    last = _last_readers(program)
    with torch.no_grad():
        for node in program.graph.nodes:
            if node.name in calls:
                changed = changes[node.name] = change(node, _moments(node, runs))
                for run in runs:
                    run.step_changed(node, changed)
            else:
                for run in runs:
                    run.step(node)
            for run in runs:
                run.forget(last.get(node, ()))
    return changes


class _Pair:
    """One sample in both programs."""

    def __init__(self, module: fx.GraphModule, inputs: Inputs) -> None:
        self.original, self.changed = fx.Interpreter(module), fx.Interpreter(module)
        for one in (self.original, self.changed):
            one.args_iter = iter(inputs)

    def step(self, node: Node) -> None:
        for one in (self.original, self.changed):
            one.env[node] = one.run_node(node)

    def step_changed(self, node: Node, changed: Changed) -> None:
        self.original.env[node] = self.original.run_node(node)
        view = weighted_at(node)
        before = dict(self.changed.env)
        self.changed.env[view.weight] = changed.weight
        y = self.changed.run_node(node)
        bias = changed.bias if view.bias is None else changed.bias - before[view.bias]
        along = [1] * y.dim()
        along[view.channel_axis] = -1
        self.changed.env = {**before, node: y + bias.reshape(along)}

    def forget(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            for one in (self.original, self.changed):
                one.env.pop(node, None)


def _last_readers(program: Program) -> Mapping[Node, list[Node]]:
    """Return the values that are read for the last time by each node."""
    last = {source: node for node in program.graph.nodes for source in node.all_input_nodes}
    gone: dict[Node, list[Node]] = {}
    for source, node in last.items():
        gone.setdefault(node, []).append(source)
    return gone


def _moments(call: Node, runs: Sequence[_Pair]) -> PairedMoments:
    source = operand(call)
    axis = weighted_at(call).channel_axis - len(shape(call)) + len(shape(source))
    count = 0
    original_total, total = torch.zeros(2, shape(source)[axis]).double()
    products = crossed = torch.zeros(len(total), len(total)).double()
    for run in runs:
        x, y = (
            one.env[source].movedim(axis, -1).flatten(0, -2).double()
            for one in (run.original, run.changed)
        )
        count += len(y)
        original_total, total = original_total + x.sum(0), total + y.sum(0)
        products, crossed = products + y.T @ y, crossed + x.T @ y
    mean, original_mean = total / count, original_total / count
    return PairedMoments(
        mean,
        original_mean,
        products / count - torch.outer(mean, mean),
        crossed / count - torch.outer(original_mean, mean),
    )
