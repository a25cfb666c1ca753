"""A program with an output for each exit, cut into parts: each computes what no part before it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.program import Inputs, Program


@dataclass(frozen=True)
class ExitPart:
    """Graph from values of the parts before to the logits of its exit, and to what later parts read."""

    module: fx.GraphModule
    inputs: tuple[str, ...]  # names of values
    outputs: tuple[str, ...]  # the logits first
    examples: Inputs


def exit_parts(program: Program) -> tuple[ExitPart, ...]:
    """Cut a program at its outputs, in their order."""
    exits = program.outputs()
    stages = _stages(program, exits)
    values = _Values(program)
    with torch.no_grad():
        values.run(*program.inputs)
    return tuple(
        _part(program, stages, number, exit_, values.of) for number, exit_ in enumerate(exits)
    )


def _stages(program: Program, exits: Sequence[Node]) -> dict[Node, int]:
    """Return the first exit that each value is needed for; a part of a tuple is where the tuple is."""
    stages: dict[Node, int] = {}
    for number, exit_ in enumerate(exits):
        for node in _ancestors(exit_):
            stages.setdefault(node, number)
    for node in program.calls():
        if kind(node) == "getitem" and operand(node) in stages and node in stages:
            stages[node] = stages[operand(node)]
    return stages


def _ancestors(node: Node) -> Iterator[Node]:
    stack, seen = [node], set[Node]()
    while stack:
        one = stack.pop()
        if one not in seen:
            seen.add(one)
            yield one
            stack += one.all_input_nodes


def _part(
    program: Program,
    stages: Mapping[Node, int],
    number: int,
    exit_: Node,
    values: Mapping[Node, torch.Tensor],
) -> ExitPart:
    own = [node for node in program.graph.nodes if stages.get(node) == number and node.op == "call_function"]  # fmt: skip
    read = {node for call in (*own, exit_) for node in call.all_input_nodes if call in own}
    if exit_ not in own:
        read.add(exit_)
    order = {node: place for place, node in enumerate(program.graph.nodes)}
    outside = sorted((n for n in read if n not in own and n.op != "get_attr"), key=order.__getitem__)  # fmt: skip
    later = [
        node
        for node in own
        if node is not exit_ and any(stages.get(user, -1) > number for user in node.users)
    ]
    graph, new = fx.Graph(), dict[Node, Node]()
    for node in outside:
        new[node] = graph.placeholder(node.name)
    for node in sorted((n for n in read if n.op == "get_attr"), key=order.__getitem__):
        new[node] = graph.node_copy(node)
    for node in own:
        new[node] = graph.node_copy(node, new.__getitem__)
    outputs = (exit_, *later)
    graph.output(tuple(new[node] for node in outputs))
    constants = {str(n.target): program.constants[str(n.target)] for n in read if n.op == "get_attr"}  # fmt: skip
    module = fx.GraphModule(constants, graph)
    type(module).__name__ = f"Exit{number + 1}"  # a class of its own: it names the artifact
    return ExitPart(
        module,
        tuple(node.name for node in outside),
        tuple(node.name for node in outputs),
        tuple(values[node] for node in outside),
    )


class _Values(fx.Interpreter):
    """Interpreter that keeps every tensor."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.module())
        self.of: dict[Node, torch.Tensor] = {}
        self._nodes = {node.name: node for node in program.graph.nodes}

    def run_node(self, n: Node) -> object:
        value = super().run_node(n)
        if isinstance(value, torch.Tensor):
            self.of[self._nodes[n.name]] = value
        return value
