"""Inputs of 8 and 16 bits as int32, which Core ML takes instead.

    picture: uint8   ->   picture: int32        where nothing is computed in bytes, which would wrap around

What reads such an input converts it, compares it or moves it, and gives the same numbers from int32.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch.fx.node import Node
from torch.utils._pytree import tree_leaves, tree_map_only

from edgevit.graph.aten import kind
from edgevit.graph.cost import TRANSPOSES
from edgevit.graph.program import Program, copy_graph

NARROW = frozenset({torch.uint8, torch.int8, torch.int16})
_MOVES = TRANSPOSES | {
    "alias", "cat", "chunk", "clone", "contiguous", "expand", "flatten", "flip", "getitem", "narrow", "reshape",
    "roll", "select", "slice", "split", "split_with_sizes", "squeeze", "stack", "unbind", "unflatten", "unsqueeze", "view",
}  # fmt: skip
_OF_BITS = frozenset(
    {"view", "index", "index_put", "masked_fill", "where"}
)  # bits, or bytes as a mask


def with_wide_inputs(program: Program) -> Program:
    """Return the program with inputs of int32, or as it is where it computes in bytes."""
    if not any(x.dtype in NARROW for x in program.inputs):
        return program
    graph = copy_graph(program.graph)
    widened: set[Node] = set()
    for node in graph.nodes:
        sources = [source for source in node.all_input_nodes if source in widened]
        if node.op == "output" or not (sources or node.op == "placeholder"):
            continue
        if not _is_narrow(node.meta["val"]):
            if kind(node) in _OF_BITS:
                return program
            continue
        if sources and (kind(node) not in _MOVES or len(sources) < len(node.all_input_nodes)):
            return program
        node.meta["val"] = tree_map_only(torch.Tensor, _widened, node.meta["val"])
        widened.add(node)
    return replace(program, graph=graph, inputs=tuple(map(_widened, program.inputs)))


def _is_narrow(result: Any) -> bool:
    """Check for a tensor, or one of several, of too few bits."""
    return any(x.dtype in NARROW for x in tree_leaves(result) if isinstance(x, torch.Tensor))


def _widened(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.int32) if x.dtype in NARROW else x
