"""A program with an output for each exit, cut into parts: each computes what no part before it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.cuts import GraphPart, cut
from edgevit.graph.program import Program


def exit_parts(program: Program) -> tuple[GraphPart, ...]:
    """Cut a program at its outputs, in their order. The logits of a part are its first output."""
    exits = program.outputs()
    return cut(program, _stages(program, exits), [(exit_,) for exit_ in exits], "Exit")


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
