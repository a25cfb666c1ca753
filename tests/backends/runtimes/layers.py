"""Integers of a file layer by layer: each layer computes from what the runtime itself has stored.

A rounding that flips spreads through the layers behind it. Therefore the simulation of a layer is
fed with the runtime's own values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Inputs, Program


def with_every_value(program: Program) -> Program:
    """Return a simulation that has every quantised value as an output, and every dynamic product."""
    draft = Draft(program)
    output = draft.graph.output_node()
    (returned,) = output.args
    values = [node for node in draft.graph.nodes if is_stored(node) or is_dynamic(node)]
    edit = Edit(draft, "test", output)
    shown = [
        edit.call(
            torch.ops.quantized_decomposed.dequantize_per_tensor.default, node, *node.args[1:]
        )
        if is_stored(node)
        else node
        for node in values
    ]
    output.args = ((*returned, *shown),)  # type: ignore[misc]
    names = (*program.output_names, *(f"value_{node.name}" for node in values))
    return replace(draft.program(), output_names=names)


def is_stored(node: Node) -> bool:
    return kind(node) == "quantize_per_tensor"


def is_dynamic(node: Node) -> bool:
    reads = [kind(read) for read in node.all_input_nodes]
    return kind(node) == "linear" and "dequantize_per_token" in reads


class Replay(fx.Interpreter):
    """Run of a simulation in which every value becomes the runtime's as soon as it is compared."""

    def __init__(self, program: Program, written: dict[str, torch.Tensor]) -> None:
        super().__init__(torch.nn.Module(), graph=program.graph)
        self._constants, self._written = program.constants, written
        self.apart: dict[str, torch.Tensor] = {}

    def fetch_attr(self, target: str) -> torch.Tensor:
        return self._constants[target]

    def run_node(self, n: Node) -> Any:
        mine = super().run_node(n)
        theirs = self._written.get(f"value_{n.name}")
        if theirs is None:
            return mine
        if is_stored(n):
            step, zero = argument(n, "scale"), argument(n, "zero_point")
            integers = (theirs / step).round() + zero
            self.apart[n.name] = (integers - mine).abs()
            return integers.to(mine.dtype)
        self.apart[n.name] = (theirs - mine).abs() / self._step(n)
        return theirs

    def _step(self, product: Node) -> float:
        """Return how far one flipped rounding of an input takes the largest weight."""
        read, weight, *_ = (self.env[node] for node in product.all_input_nodes)
        return float((read.amax(-1) - read.amin(-1)).max() / 255 * weight.abs().max())


def steps_apart(program: Program, inputs: Inputs, written: list[Any]) -> dict[str, torch.Tensor]:
    """Return for each value, by its name, how many steps runtime and simulation are apart."""
    pairs = zip(program.output_names, written, strict=True)
    values = {name: torch.from_numpy(array) for name, array in pairs if name.startswith("value_")}
    replay = Replay(program, values)
    with torch.no_grad():
        replay.run(*inputs)
    return replay.apart


def layers(program: Program) -> Iterator[str]:
    return (node.name for node in program.calls() if is_stored(node) or is_dynamic(node))
