"""The program every stage passes on: a functional graph of ATen calls, constants, example
inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import torch
from torch import fx
from torch.fx.node import Node, map_aggregate

from edgevit.graph.execute import GraphRun

Inputs = tuple[torch.Tensor, ...]
Outputs = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Origin:
    """Module path and source line of a node in the user's model, and the rules that rewrote it
    since.
    """

    module: str = ""  # dotted path: "blocks.3.attn"
    source: str = ""  # "timm/models/shvit.py:88"
    rules: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Module path and source line, as in `blocks.3.attn  model.py:88`."""
        return (
            "  ".join(part for part in (self.module, self.source) if part)
            or "the model's own forward"
        )

    def __str__(self) -> str:
        """Return the place, with the last rule that rewrote it: a reader of an error needs both."""
        return f"{self.place}   after rule `{self.rules[-1]}`" if self.rules else self.place


def origin(node: Node) -> Origin:
    return node.meta.get("origin", Origin())


def value(node: Node) -> torch.Tensor:
    """Return the node's fake tensor: shape and dtype without data."""
    return node.meta["val"]


def has_tensor(node: Node) -> bool:
    """Check that the result of a node is one tensor: a split has several."""
    return isinstance(node.meta.get("val"), torch.Tensor)


def shape(node: Node) -> tuple[int, ...]:
    return tuple(value(node).shape)


def copy_graph(graph: fx.Graph) -> fx.Graph:
    """Copy a graph with the same node names.

    They reach the artifact, and the parity check finds values by them.
    """
    copy = fx.Graph()
    copy.output(copy.graph_copy(graph, val_map={}))
    return copy


def _is_made_of_float32(node: Node) -> bool:
    """Check for a call such as `zeros` that reads no tensor and states no type: it gives torch's default."""
    result, schema = node.meta.get("val"), getattr(node.target, "_schema", None)
    if node.all_input_nodes or schema is None or not isinstance(result, torch.Tensor):
        return False
    has_type = any(argument.name == "dtype" for argument in schema.arguments)
    return result.dtype == torch.float32 and has_type and node.kwargs.get("dtype") is None


def _widen_type(argument: Any) -> Any:
    return torch.float64 if argument is torch.float32 else argument


@dataclass(frozen=True)
class Program:
    """A functional program: positional tensors in, a flat tuple of tensors out.

    `get_attr` nodes read constants.
    """

    name: str
    graph: fx.Graph
    constants: dict[str, torch.Tensor]
    inputs: Inputs
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    # Inputs that a call takes over from the call before, each with the output that is its next value: places of both.
    states: tuple[tuple[int, int], ...] = ()
    initial: Inputs = ()  # of the states, before the first call

    def module(self) -> fx.GraphModule:
        return fx.GraphModule(dict(self.constants), self.graph, class_name="Program")

    def run(self, inputs: Inputs | None = None) -> tuple[torch.Tensor, ...]:
        """Run on the example inputs, once for all who ask, or on others."""
        if inputs is None:
            return self._example_outputs
        with torch.no_grad():
            return self.graph_run().run(inputs)

    @cached_property
    def _example_outputs(self) -> tuple[torch.Tensor, ...]:
        with torch.no_grad():
            return self.graph_run().run(self.inputs)

    def graph_run(self) -> GraphRun:
        return GraphRun(self.graph, self.constants)

    def run_all(self, runs: Sequence[Inputs]) -> list[tuple[torch.Tensor, ...]]:
        """Run on each of several inputs. What depends on none of them is computed once."""
        with torch.no_grad():
            run = GraphRun(self.graph, self.constants, fuses_pairs=True)
            run.compute_constants()
            return run.run_all(runs)

    def in_float64(self) -> Program:
        """Return the same graph on float64 constants and inputs, whose results have hardly any
        rounding.
        """
        widen = {
            name: t.double() if t.is_floating_point() else t for name, t in self.constants.items()
        }
        inputs = tuple(t.double() if t.is_floating_point() else t for t in self.inputs)
        graph = copy_graph(self.graph)
        for node in graph.nodes:
            if node.op == "call_function":
                node.args = map_aggregate(node.args, _widen_type)
                node.kwargs = map_aggregate(node.kwargs, _widen_type)
                if _is_made_of_float32(node):
                    node.kwargs = {**node.kwargs, "dtype": torch.float64}
        return replace(self, graph=graph, constants=widen, inputs=inputs)

    def calls(self) -> Iterator[Node]:
        return (node for node in self.graph.nodes if node.op == "call_function")

    def placeholders(self) -> list[Node]:
        return [node for node in self.graph.nodes if node.op == "placeholder"]

    def outputs(self) -> tuple[Node, ...]:
        return tuple(cast(Iterable[Node], self.graph.output_node().args[0]))
