"""Part of a program between two places in the order of its calls, as a program of its own.

    x -> a -> b -> c -> y        calls 1 to 2:    a' -> b -> c        a': what PyTorch computes there

A place can be cut at where everything that crosses it is a tensor which an artifact can take and return.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.backends import READABLE
from edgevit.graph.program import Inputs, Program, copy_graph, has_tensor, value


class Calls:
    """Calls of a program that depend on its inputs, in order, on one set of inputs."""

    def __init__(self, program: Program, inputs: Inputs) -> None:
        self.program = replace(program, inputs=inputs)
        self._varying = _varying(program)
        self.nodes = [node for node in program.calls() if node in self._varying]
        self.places = self._places()

    def window(self, first: int, last: int) -> Program | None:
        """Return the calls from place `first` to place `last`, or None if they read or give nothing."""
        if (first, last) == (0, len(self.nodes)):
            return self.program
        inside = set(self.nodes[first:last])
        ends = [node for node in self.nodes[first:last] if self._is_end(node, inside)]
        reads = [node for node in self._needed(ends, inside) if self._is_input(node, inside)]
        if not ends or not reads:
            return None
        return self._cut(reads, ends, inside)

    def _cut(self, reads: Sequence[Node], ends: Sequence[Node], inside: set[Node]) -> Program:
        graph, copies = fx.Graph(), dict[Node, Node]()
        for node in reads:
            copies[node] = graph.placeholder(node.name)
            copies[node].meta = dict(node.meta)
        for node in self._needed(ends, inside):
            if node not in copies:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output(tuple(copies[node] for node in ends))
        constants = {str(n.target) for n in copies if n.op == "get_attr"}
        return replace(
            self.program,
            graph=graph,
            constants={name: self.program.constants[name] for name in sorted(constants)},
            inputs=self._values(reads),
            input_names=tuple(copies[node].name for node in reads),
            output_names=tuple(copies[node].name for node in ends),
        )

    def _values(self, nodes: Sequence[Node]) -> Inputs:
        """Return what PyTorch computes at these nodes."""
        values: dict[Node, torch.Tensor] = {}

        def look(node: Node, result: Any) -> None:
            if node in boundary:
                values[node] = result.contiguous()

        boundary = set(nodes)
        with torch.no_grad():
            self.program.graph_run().run(self.program.inputs, look)
        return tuple(values[node] for node in nodes)

    def _needed(self, ends: Sequence[Node], inside: set[Node]) -> Iterator[Node]:
        """Yield all that a window has, in the order of the graph."""
        needed, pending = set[Node](), list(ends)
        while pending:
            node = pending.pop()
            if node not in needed:
                needed.add(node)
                pending += () if self._is_input(node, inside) else node.all_input_nodes
        return (node for node in self.program.graph.nodes if node in needed)

    def _is_input(self, node: Node, inside: set[Node]) -> bool:
        return node in self._varying and node not in inside

    def _is_end(self, node: Node, inside: set[Node]) -> bool:
        return _is_readable(node) and (
            inside.isdisjoint(node.users) or node in self.program.outputs()
        )

    def _places(self) -> list[int]:
        """Return the places that can be cut at: how many calls are before."""
        order = {node: number for number, node in enumerate(self.nodes)}
        blocked = [0] * (len(self.nodes) + 2)  # changes in how many values that no cut may cross
        for number, node in enumerate(self.nodes):
            last = max((order[user] for user in node.users if user in order), default=number)
            if not _is_readable(node):
                blocked[number + 1] += 1
                blocked[last + 1] -= 1
        places, crossing = [0], 0
        for place in range(1, len(self.nodes)):
            crossing += blocked[place]
            if not crossing:
                places.append(place)
        return [*places, len(self.nodes)]


def with_values(program: Program, names: Sequence[str]) -> Program:
    """Return a program that gives these values, and computes nothing else."""
    graph = copy_graph(program.graph)
    nodes = {node.name: node for node in graph.nodes}
    graph.output_node().args = (tuple(nodes[name] for name in names),)
    graph.eliminate_dead_code()
    return replace(program, graph=graph, output_names=tuple(names))


def readable_values(program: Program) -> list[str]:
    """Return the names of the calls whose value an artifact can return, in order."""
    varying = _varying(program)
    return [n.name for n in program.calls() if n in varying and _is_readable(n)]


def _varying(program: Program) -> set[Node]:
    """Return the inputs, and the calls that depend on one."""
    nodes = set(program.placeholders())
    for node in program.calls():
        if not nodes.isdisjoint(node.all_input_nodes):
            nodes.add(node)
    return nodes


def _is_readable(node: Node) -> bool:
    return has_tensor(node) and value(node).dtype in READABLE
