"""A program cut into parts that run one after another: each computes what no part before it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.graph.program import Inputs, Program


@dataclass(frozen=True)
class GraphPart:
    """Graph from values of the model's inputs and of parts before to what is read after it."""

    module: fx.GraphModule
    inputs: tuple[str, ...]  # names of values, those of the model's inputs as it calls them
    outputs: tuple[str, ...]  # those asked for first, then what later parts read
    examples: Inputs


def cut(
    program: Program, stages: Mapping[Node, int], asked: Sequence[Sequence[Node]], name: str
) -> tuple[GraphPart, ...]:
    """Cut a program by the part that each call belongs to. `asked` has the outputs of each part."""
    values, names = _Values(program), value_names(program)
    with torch.no_grad():
        values.run(*program.inputs)
    return tuple(
        _part(program, stages, number, outputs, values.of, names, f"{name}{number + 1}")
        for number, outputs in enumerate(asked)
    )


def _part(
    program: Program,
    stages: Mapping[Node, int],
    number: int,
    asked: Sequence[Node],
    values: Mapping[Node, torch.Tensor],
    called: Mapping[Node, str],
    name: str,
) -> GraphPart:
    own = [n for n in program.calls() if stages.get(n) == number]
    inside = set(own)
    read = {node for call in own for node in call.all_input_nodes}
    read |= {node for node in asked if node not in inside}
    order = {node: place for place, node in enumerate(program.graph.nodes)}
    outside = sorted((n for n in read - inside if n.op != "get_attr"), key=order.__getitem__)
    constants = sorted((n for n in read if n.op == "get_attr"), key=order.__getitem__)
    later = [
        node
        for node in own
        if node not in asked and any(stages.get(user, -1) > number for user in node.users)
    ]
    graph, new = fx.Graph(), dict[Node, Node]()
    for node in outside:
        new[node] = graph.placeholder(node.name)
    for node in constants:
        new[node] = graph.node_copy(node)
    for node in own:
        new[node] = graph.node_copy(node, new.__getitem__)
    outputs = (*asked, *later)
    graph.output(tuple(new[node] for node in outputs))
    tensors = {str(n.target): program.constants[str(n.target)] for n in constants}
    module = fx.GraphModule(tensors, graph)
    type(module).__name__ = name  # a class of its own: it names the artifact
    return GraphPart(
        module,
        tuple(called[node] for node in outside),
        tuple(called[node] for node in outputs),
        tuple(values[node] for node in outside),
    )


def value_names(program: Program) -> dict[Node, str]:
    """Name every value: inputs as the model calls them, and nothing else by such a name."""
    inputs = dict(zip(program.placeholders(), program.input_names, strict=True))
    taken = set(inputs.values())
    calls = {
        node: f"{node.name}.value" if node.name in taken else node.name for node in program.calls()
    }
    return inputs | calls


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
