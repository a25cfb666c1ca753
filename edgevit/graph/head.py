"""Split of a program into its body and its head: what stands behind the last convolution or product on every path.

    body: image -> features        head: features -> sigmoid, boxes from distances, topk, gather

The first calls of the head that only lay values out anew (reshape, concatenation) stay in the body: fewer values cross.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.program import Program, copy_graph

_PRODUCTS = ("addmm", "baddbmm", "bmm", "conv", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "convolution", "einsum", "linear", "matmul", "mm", "scaled_dot_product_attention", "batch_norm", "group_norm", "layer_norm", "rms_norm", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "grid_sampler", "lstm", "gru", "silu", "relu", "gelu", "hardswish", "leaky_relu", "elu", "mish", "prelu")  # fmt: skip
_LAYOUT = ("view", "reshape", "flatten", "_unsafe_view", "permute", "transpose", "cat", "contiguous", "clone", "alias", "unsqueeze", "squeeze", "unflatten")  # fmt: skip


@dataclass(frozen=True)
class SplitProgram:
    whole: Program
    body: Program  # the whole's inputs -> the boundary
    head: Program  # the boundary -> the whole's outputs


def split_head(program: Program) -> SplitProgram:
    """Split a program; its head may have no calls, or read an input of the whole."""
    tail = _behind_products(program)
    boundary = _boundary(program, tail)
    body = _body(program, boundary)
    return SplitProgram(program, body, _head(program, boundary, tail, body))


def _behind_products(program: Program) -> set[Node]:
    """Return the calls that no product is behind, but for those that lay the boundary out."""
    before: set[Node] = set()
    for node in reversed(list(program.calls())):
        if kind(node) in _PRODUCTS or any(user in before for user in node.users):
            before.add(node)
    tail = {node for node in program.calls() if node not in before}
    for node in program.calls():
        reads = [read for read in node.all_input_nodes if read.op != "get_attr"]
        if node in tail and kind(node) in _LAYOUT and reads and not any(r in tail for r in reads):
            tail.remove(node)
    return tail


def _boundary(program: Program, tail: set[Node]) -> list[Node]:
    readers = {*tail, program.graph.output_node()}
    return [
        node
        for node in program.graph.nodes
        if node.op != "get_attr" and node not in tail and not readers.isdisjoint(node.users)
    ]


def _body(program: Program, boundary: Sequence[Node]) -> Program:
    graph = copy_graph(program.graph)
    nodes = {node.name: node for node in graph.nodes}
    graph.output_node().args = (tuple(nodes[node.name] for node in boundary),)
    for node in reversed(graph.nodes):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)
    names = tuple(node.name for node in boundary)
    return replace(program, graph=graph, constants=_read(program, graph), output_names=names)


def _head(program: Program, boundary: Sequence[Node], tail: set[Node], body: Program) -> Program:
    graph = fx.Graph()
    copies: dict[Node, Node] = {}
    for node in boundary:
        copies[node] = graph.placeholder(node.name)
        copies[node].meta = dict(node.meta)
    constants = {read for node in tail for read in node.all_input_nodes if read.op == "get_attr"}
    for node in program.graph.nodes:
        if node in tail or node in constants:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(tuple(copies[node] for node in program.outputs()))
    return Program(
        f"{program.name}-head",
        graph,
        _read(program, graph),
        body.run(),
        body.output_names,
        program.output_names,
    )


def _read(program: Program, graph: fx.Graph) -> dict[str, torch.Tensor]:
    names = {str(node.target) for node in graph.nodes if node.op == "get_attr"}
    return {name: tensor for name, tensor in program.constants.items() if name in names}
