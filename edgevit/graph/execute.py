"""Execution of a graph, call after call.

fx has an interpreter of its own, which takes several times as long between two calls as small ones
take themselves.

    quantize(x) -> dequantize       where nobody else reads the integers, their numbers are computed in floats,
                                    in place: the same numbers in half the passes over memory

Several inputs run as a batch that the graph does not know of: torch's `vmap` hands its axis through each call. Between
two small calls the same time passes for all of them as for one.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import fx
from torch.fx.node import Node, map_arg

from edgevit.graph import batch

Look = Callable[[Node, Any], None]
_QUANTIZE = "quantized_decomposed.quantize_per_tensor.default"
_DEQUANTIZE = "quantized_decomposed.dequantize_per_tensor.default"
_ARGUMENTS = 6  # of both: numbers, scale, zero, least, most, type
_NUMBERS = 2**22  # in a value of all inputs of a batch: more leave the caches, and gain nothing


_BATCHED: weakref.WeakSet[fx.Graph] = weakref.WeakSet()  # that have run so


class _Step(NamedTuple):
    node: Node
    is_flat: bool  # no argument is a list of values
    last_read: tuple[Node, ...]  # values that nothing behind reads
    rounds: bool = False  # quantises for readers that all dequantise
    is_rounded: bool = False  # dequantises what such a step has left


def _ignore(node: Node, result: Any) -> None:
    """Look at nothing."""


def _of_names(look: Look, names: Container[str]) -> Look:
    def of_names(node: Node, result: Any) -> None:
        if node.name in names:
            look(node, result)

    return of_names


class GraphRun:
    """A graph with its constants, to be run several times."""

    def __init__(
        self, graph: fx.Graph, constants: Mapping[str, torch.Tensor], fuses_pairs: bool = False
    ) -> None:
        """With `fuses_pairs`, what lies between a quantize call and those that dequantise is not computed."""
        self._graph = graph
        self._constants = constants
        self._placeholders = [node for node in graph.nodes if node.op == "placeholder"]
        self._outputs = cast(tuple[Node, ...], graph.output_node().args[0])
        self._steps = _steps(graph, _pairs(graph) if fuses_pairs else frozenset())
        self._constant_values: dict[Node, Any] = {}
        self._largest = _largest(graph)

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

    def run_all(
        self,
        runs: Sequence[Sequence[torch.Tensor]],
        look: Look = _ignore,
        names: Container[str] | None = None,
    ) -> list[tuple[torch.Tensor, ...]]:
        """Run on each of several inputs.

        `look` is called once for each, with one node after the other; with `names`, of those alone.
        """
        if names is not None:
            look = _of_names(look, names)
        looks = look is not _ignore
        count = min(len(runs), _NUMBERS // max(self._largest, 1))
        if count < 2:
            return [self.run(inputs, look) for inputs in runs]
        outputs: list[tuple[torch.Tensor, ...]] = []
        if self._graph not in _BATCHED:
            try:  # no observer sees half a run
                outputs = self._together(runs[: 1 if looks else count], _ignore)
            except Exception:  # whatever torch says of a call that it cannot batch
                return [self.run(inputs, look) for inputs in runs]
            _BATCHED.add(self._graph)
        outputs = [] if looks else outputs
        for start in range(len(outputs), len(runs), count):
            outputs += self._together(runs[start : start + count], look, names)
        return outputs

    def _together(
        self,
        runs: Sequence[Sequence[torch.Tensor]],
        look: Look,
        names: Container[str] | None = None,
    ) -> list[tuple[torch.Tensor, ...]]:
        def look_at_each(node: Node, result: Any) -> None:
            if names is not None and node.name not in names:
                return
            for one in batch.each(result, len(runs)):
                look(node, one)

        def run(*inputs: torch.Tensor) -> tuple[Any, ...]:
            return self.run(inputs, _ignore if look is _ignore else look_at_each)

        return batch.run(run, runs)

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
        if step.is_rounded or step.rounds:
            source, scale, zero, least, most, _ = cast(Any, node.args)
            x = values[source]
            return x if step.is_rounded else _rounded(x, scale, zero, least, most)
        args, kwargs = node.args, node.kwargs
        if step.is_flat:
            args = [values[one] if isinstance(one, Node) else one for one in args]
        else:
            args, kwargs = (map_arg(part, values.__getitem__) for part in (args, kwargs))
        try:
            return batch.call(cast(Any, node.target), args, kwargs)
        except Exception as error:
            message = str(error.args[0]) if error.args else ""
            error.args = (f"{message}\n\nWhile executing {node.format_node()}", *error.args[1:])
            raise


def _rounded(x: torch.Tensor, scale: float, zero: int, least: int, most: int) -> torch.Tensor:
    """Return the numbers that dequantising gives, operation by operation as torch computes them."""
    # `clamp_` has no rule for batches.
    steps = (x * (1.0 / scale)).round_().add_(zero).clamp(least, most)
    return steps.sub_(zero).mul_(scale)


def _pairs(graph: fx.Graph) -> frozenset[Node]:
    """Return the quantize calls of float32 numbers whose readers all dequantise on the same grid."""
    return frozenset(
        node
        for node in graph.nodes
        if str(node.target) == _QUANTIZE
        and len(node.args) == _ARGUMENTS
        and not node.kwargs
        and node.args[0].meta["val"].dtype is torch.float32
        and all(_undoes(user, node) for user in node.users)
    )


def _undoes(user: Node, node: Node) -> bool:
    return (
        str(user.target) == _DEQUANTIZE and user.args == (node, *node.args[1:]) and not user.kwargs
    )


def _steps(graph: fx.Graph, pairs: frozenset[Node]) -> tuple[_Step, ...]:
    last: dict[Node, Node] = {}
    for node in graph.nodes:
        for read in node.all_input_nodes:
            last[read] = node
    of_reader: dict[Node, list[Node]] = {}
    for read, reader in last.items():
        if reader.op != "output":
            of_reader.setdefault(reader, []).append(read)
    return tuple(
        _Step(
            node,
            _is_flat(node),
            tuple(of_reader.get(node, ())),
            node in pairs,
            bool(pairs.intersection(node.all_input_nodes)),
        )
        for node in graph.nodes
        if node.op in {"call_function", "get_attr"}
    )


def _largest(graph: fx.Graph) -> int:
    """Return how many numbers the largest value has that an input decides."""
    decided: dict[Node, int] = {}
    for node in graph.nodes:
        if node.op == "placeholder" or not decided.keys().isdisjoint(node.all_input_nodes):
            form = node.meta.get("val")
            decided[node] = form.numel() if isinstance(form, torch.Tensor) else 0
    return max(decided.values(), default=0)


def _is_flat(node: Node) -> bool:
    inner: list[Node] = []
    map_arg([one for one in node.args if not isinstance(one, Node)], inner.append)
    map_arg(node.kwargs, inner.append)
    return not inner
