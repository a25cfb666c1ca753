"""A weight for each product: ONNX Runtime's exact mode for CPUs without VNNI rewrites a weight once.

    DequantizeLinear(W) -> Transpose -> MatMul, MatMul     ->     the same of a copy of W for the second MatMul

At the second product that reads the same bytes it fails, and the file does not open.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

_MOVES = frozenset({"Transpose", "Reshape", "Squeeze", "Unsqueeze"})
_INT8 = 3  # onnx.TensorProto.INT8


def part_weights(model: Any) -> bool:
    """Give each product that shares a weight of signed bytes a copy, in place. Returns whether one did."""
    graph = model.graph
    weights = {one.name: one for one in graph.initializer if one.data_type == _INT8}
    chain: dict[str, Any] = {}  # nodes that give a weight to products, by their output
    for node in graph.node:
        reads = weights if node.op_type == "DequantizeLinear" else chain
        if node.op_type in {"DequantizeLinear", *_MOVES} and node.input[0] in reads:
            chain[node.output[0]] = node
    seen, nodes = set[str](), list[Any]()
    for node in graph.node:
        if node.output[0] not in chain:
            for place, name in enumerate(node.input):
                path = _path(chain, name)
                if path and path[0].input[0] in seen:
                    copies = _copied(graph, weights, path, f":{len(nodes)}")
                    nodes.extend(copies)
                    node.input[place] = copies[-1].output[0]
                seen.update(one.input[0] for one in path[:1])
        nodes.append(node)
    shares = len(nodes) > len(graph.node)
    if shares:
        copied = [copy_of(node) for node in nodes]
        del graph.node[:]
        graph.node.extend(copied)
    return shares


def _path(chain: dict[str, Any], name: str) -> list[Any]:
    """Return the nodes from a weight to this value; none if it is of no weight."""
    path: list[Any] = []
    while name in chain:
        path.insert(0, chain[name])
        name = path[0].input[0]
    return path


def _copied(graph: Any, weights: dict[str, Any], path: list[Any], ending: str) -> list[Any]:
    """Return the path again, from copies of its weight and zero points."""
    copies = [copy_of(node) for node in path]
    for node in copies:
        for place, name in enumerate(node.input):
            if name in weights:
                own = copy_of(weights[name])
                own.name = name + ending
                graph.initializer.append(own)
                node.input[place] = own.name
        node.name, node.output[0] = node.name + ending, node.output[0] + ending
    for before, node in pairwise(copies):
        node.input[0] = before.output[0]
    return copies


def copy_of(message: Any) -> Any:
    """Return a copy of a node or tensor, which removing it from its graph does not end."""
    return type(message).FromString(message.SerializeToString())
