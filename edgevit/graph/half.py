"""Conversion of a program to float16 computation, with float32 inputs and outputs unchanged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import fx
from torch.fx.node import Node, map_aggregate

from edgevit.graph.aten import operand_list
from edgevit.graph.program import Program, copy_graph

_TO = torch.ops.aten._to_copy.default


def in_float16(program: Program) -> Program:
    """Convert a program to float16: narrow float32 inputs on entry, widen float16 results on
    exit.
    """
    graph = copy_graph(program.graph)
    constants = {
        name: t.half() if t.dtype == torch.float32 else t for name, t in program.constants.items()
    }
    halved = replace(program, graph=graph, constants=constants)
    for node in list(graph.nodes):
        if node.op == "placeholder" and node.meta["val"].dtype == torch.float32:
            _narrow(graph, node)
        elif node.op == "call_function":
            node.args = map_aggregate(node.args, _half_type)
            node.kwargs = map_aggregate(node.kwargs, _half_type)
    _widen_outputs(graph, program)
    _infer_types(halved, program)
    return halved


def _half_type(argument: Any) -> Any:
    return torch.float16 if argument is torch.float32 else argument


def _narrow(graph: fx.Graph, node: Node) -> None:
    readers = list(node.users)
    with graph.inserting_after(node):
        narrow = graph.call_function(_TO, (node,), {"dtype": torch.float16})
    narrow.meta = dict(node.meta)
    for reader in readers:
        reader.replace_input_with(node, narrow)


def _widen_outputs(graph: fx.Graph, program: Program) -> None:
    output = graph.output_node()
    results: list[Node] = []
    for node, before in zip(operand_list(output), program.outputs(), strict=True):
        if before.meta["val"].dtype == torch.float32:
            with graph.inserting_before(output):
                wide = graph.call_function(_TO, (node,), {"dtype": torch.float32})
            wide.meta = dict(node.meta)
            results.append(wide)
        else:
            results.append(node)
    output.args = (tuple(results),)


def _infer_types(halved: Program, program: Program) -> None:
    """Infer types by running the graph on fake tensors; shapes stay the same."""
    mode = program.placeholders()[0].meta["val"].fake_mode
    fakes = [node.meta["val"] for node in halved.placeholders()]
    with mode:
        module = halved.module()
        for name, tensor in halved.constants.items():
            setattr(module, name, mode.from_tensor(tensor, static_shapes=True))
        _Types(module, {node.name: node for node in halved.graph.nodes}).run(*fakes)


class _Types(fx.Interpreter):
    def __init__(self, module: fx.GraphModule, nodes: dict[str, Node]) -> None:
        super().__init__(module)
        self.nodes = nodes

    def run_node(self, n: Node) -> Any:
        result = super().run_node(n)
        self.nodes[n.name].meta["val"] = result
        return result
