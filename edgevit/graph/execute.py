"""Execution of a graph, call after call.

fx has an interpreter of its own, which takes several times as long between two calls as small ones
take themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import fx
from torch.fx.node import Node, map_arg

Look = Callable[[Node, Any], None]


class _Step(NamedTuple):
    node: Node
    is_flat: bool  # no argument is a list of values
    last_read: tuple[Node, ...]  # values that nothing behind reads


def _ignore(node: Node, result: Any) -> None:
    """Look at nothing."""


class GraphRun:
    """A graph with its constants, to be run several times."""

    def __init__(self, graph: fx.Graph, constants: Mapping[str, torch.Tensor]) -> None:
        self._constants = constants
        self._placeholders = [node for node in graph.nodes if node.op == "placeholder"]
        self._outputs = cast(tuple[Node, ...], graph.output_node().args[0])
        self._steps = _steps(graph)
        self._constant_values: dict[Node, Any] = {}

    def compute_constants(self) -> None:
        """Compute what depends on no input, once for all runs."""
        values: dict[Node, Any] = {}
        for step in self._steps:
            reads = step.node.all_input_nodes
            of_constants = step.node.op == "call_function" and reads and values.keys() >= set(reads)
            if step.node.op == "get_attr" or of_constants:
                values[step.node] = self._result(step, values)
        inner = {node for node in values if node.users and values.keys() >= set(node.users)}
        self._constant_values = {
            node: None if node in inner else value for node, value in values.items()
        }

    def run(self, inputs: Sequence[torch.Tensor], look: Look = _ignore) -> tuple[Any, ...]:
        """Run on one input. `look` is called with each node that is computed, and its result."""
        values = dict(self._constant_values)
        for node, x in zip(self._placeholders, inputs, strict=True):
            values[node] = x
            look(node, x)
        for step in self._steps:
            if step.node not in values:
                values[step.node] = result = self._result(step, values)
                look(step.node, result)
            for node in step.last_read:
                del values[node]
        return tuple(values[node] for node in self._outputs)

    def _result(self, step: _Step, values: Mapping[Node, Any]) -> Any:
        node = step.node
        if node.op == "get_attr":
            return self._constants[str(node.target)]
        args, kwargs = node.args, node.kwargs
        if step.is_flat:
            args = [values[one] if isinstance(one, Node) else one for one in args]
        else:
            args, kwargs = (map_arg(part, values.__getitem__) for part in (args, kwargs))
        try:
            return node.target(*args, **kwargs)  # type: ignore[operator]
        except Exception as error:
            message = str(error.args[0]) if error.args else ""
            error.args = (f"{message}\n\nWhile executing {node.format_node()}", *error.args[1:])
            raise


def _steps(graph: fx.Graph) -> tuple[_Step, ...]:
    last: dict[Node, Node] = {}
    for node in graph.nodes:
        for read in node.all_input_nodes:
            last[read] = node
    of_reader: dict[Node, list[Node]] = {}
    for read, reader in last.items():
        if reader.op != "output":
            of_reader.setdefault(reader, []).append(read)
    return tuple(
        _Step(node, _is_flat(node), tuple(of_reader.get(node, ())))
        for node in graph.nodes
        if node.op in {"call_function", "get_attr"}
    )


def _is_flat(node: Node) -> bool:
    inner: list[Node] = []
    map_arg([one for one in node.args if not isinstance(one, Node)], inner.append)
    map_arg(node.kwargs, inner.append)
    return not inner
