"""Split of a program into its body and its head: what stands behind the last convolution or product on every path.

    body: image -> features        head: features -> sigmoid, boxes from distances, topk, gather

The first calls of the head that only lay values out anew (reshape, concatenation) stay in the body: fewer values cross.
Where some of the head's calls are known to leave the accelerator, the head is those, what reads them, and of the rest as
much as makes the host move the fewest bytes: those that cross, and those that each of its calls reads and writes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, cast

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
    is_placed: bool = False  # by the calls that leave the accelerator


def split_head(program: Program, leaving: Collection[str] = ()) -> SplitProgram:
    """Split a program; its head may have no calls, or read an input of the whole.

    `leaving` names calls that leave the accelerator: the head begins where it is cheapest that they are in it.
    """
    tail = _behind_products(program)
    leave = {node for node in tail if node.name in leaving}
    if not leave:
        return _split(program, tail)
    return replace(_split(program, _cheapest(program, tail, leave)), is_placed=True)


def split_at(program: Program, names: Collection[str]) -> SplitProgram:
    """Split a program behind the values of these names. A name that it has not is a `KeyError`."""
    by_name = {node.name: node for node in program.graph.nodes}
    body, waiting = set[Node](), [by_name[name] for name in names]
    while waiting:
        node = waiting.pop()
        if node not in body:
            body.add(node)
            waiting += node.all_input_nodes
    return _split(program, {node for node in program.calls() if node not in body})


def bytes_moved(split: SplitProgram) -> int:
    """Predict the bytes that the host moves: what crosses, and what each call of the head reads and writes."""
    crossing = sum(_bytes(node) for node in split.head.placeholders())
    return crossing + sum(_moved(node) for node in split.head.calls())


def _split(program: Program, tail: set[Node]) -> SplitProgram:
    tail = {node for node in tail if not _is_part_of_body(node, tail)}
    boundary = _boundary(program, tail)
    body = _body(program, boundary)
    return SplitProgram(program, body, _head(program, boundary, tail, body))


def _is_part_of_body(node: Node, tail: set[Node]) -> bool:
    """Return whether a call takes one of several tensors that the body computes at once, as of a split."""
    reads = [read for read in node.all_input_nodes if read.op == "call_function"]
    return any(r not in tail and not isinstance(r.meta["val"], torch.Tensor) for r in reads)


def _cheapest(program: Program, tail: set[Node], leaving: set[Node]) -> set[Node]:
    """Return the part of the tail, closed under readers, that has all that leaves and moves the fewest bytes.

    A value that a part of the head reads crosses once, at its second point; one that several tensors are
    (of a split, of a topk) cannot cross.
    """
    networkx: Any = import_module("networkx")  # a fifth of a second
    body, head, network = object(), object(), networkx.DiGraph()

    def add(start: object, end: object, weight: float = math.inf) -> None:
        """Add to the edge's weight. Edges lead back, so that of equal cuts the one nearest to the body is taken."""
        earlier = network.get_edge_data(end, start, {"capacity": 0})["capacity"]
        network.add_edge(end, start, capacity=earlier + weight)

    outputs = {*program.outputs()}
    crossed = {read for node in tail for read in node.all_input_nodes if read.op != "get_attr"}
    for node in {*tail, *crossed}:
        is_tensor = isinstance(node.meta["val"], torch.Tensor)
        readers = [user for user in node.users if user in tail]
        crossing = (node, "crosses")
        add(node, crossing, _bytes(node) if is_tensor else math.inf)
        for reader in readers:
            add(crossing, reader)
        if node in outputs:
            add(crossing, head)
        if node not in tail:
            add(body, node)
            continue
        add(body, node, _moved(node))
        for reader in readers:
            add(reader, node)
        if node in leaving:
            add(node, head)
    try:
        _, (_, stays) = networkx.minimum_cut(network, head, body)
    except networkx.NetworkXUnbounded:  # what several tensors are would cross
        return tail
    return {node for node in tail if node not in stays}


def _moved(node: Node) -> int:
    return sum(_bytes(one) for one in (node, *node.all_input_nodes) if one.op != "get_attr")


def _bytes(node: Node) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in _tensors(node.meta["val"]))


def _tensors(value: object) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for one in cast(Sequence[object], value):
            yield from _tensors(one)


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
