"""Fences that the converter does not look across: an op of floats for it, and none in the file.

The converter computes a call in integers if some call beside it does, in an encoding of its own
choice. It stops at an op that has no integer kernel: FLOOR is one, and no pass of the converter
merges it with others. The file is rid of these ops when it has been written.

A product that is a single row or column needs one as well. As an image of one pixel it is the same
numbers in the same order, and the converter (litert-converter 0.5) gives the product the image's four
axes while its factors keep three: "found invalid output rank, expected 3 but got 4".
"""

from __future__ import annotations

from collections.abc import Collection
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.backends.tflite.flatbuffer import names_of, positions_of, read_model, write_model
from edgevit.graph.aten import Overload, kind, operand
from edgevit.graph.edit import Draft
from edgevit.graph.program import Program, shape, value
from edgevit.quantize import is_fence
from edgevit.rewrites.layout.merge_reshapes import RESHAPES

_PRODUCTS = frozenset({"bmm", "linear", "matmul", "mm"})
_FLOOR, _RESHAPE = torch.ops.aten.floor.default, torch.ops.aten.reshape.default


def fence_names(program: Program) -> frozenset[str]:
    return frozenset(node.name for node in program.calls() if is_fence(node))


def with_floors(program: Program) -> Program:
    """Return the program with FLOOR in place of each fence."""
    draft = Draft(program)
    for node in draft.graph.nodes:
        if is_fence(node):
            node.target = _FLOOR
            node.args, node.kwargs = node.args[:1], {}
    return draft.program()


def with_fenced_vectors(program: Program) -> tuple[Program, frozenset[str]]:
    """Return the program with FLOOR behind each product that is a vector, and the names of these."""
    draft = Draft(program)
    vectors = [node for node in draft.graph.nodes if _is_vector(node)]
    for node in vectors:
        sizes, readers = list(shape(node)), list(node.users)
        if kind(node) == "linear":  # its own reshapes, from and to two axes, are outside the fence
            rows = _inserted(draft, _RESHAPE, operand(node), [1, shape(operand(node))[-1]], node)
            node.args = (rows, *node.args[1:])
            node.meta = {**node.meta, "val": value(node).reshape(1, -1)}
        fence = _inserted(draft, _FLOOR, node, None, node.next)
        image = _inserted(draft, _RESHAPE, fence, sizes, fence.next)
        for reader in readers:
            reader.replace_input_with(node, image)
    names = frozenset(_fence_name(node) for node in vectors)
    return (draft.program() if names else program), names


def _inserted(
    draft: Draft, target: Overload, source: Node, sizes: list[int] | None, before: Node
) -> Node:
    args = (source,) if sizes is None else (source, sizes)
    name = _fence_name(source) if sizes is None else None
    with draft.graph.inserting_before(before):
        node = draft.graph.create_node("call_function", target, args, name=name)
    node.meta = {**source.meta, "val": value(source).reshape(sizes or shape(source))}
    return node


def _fence_name(product: Node) -> str:
    return f"{product.name}_fence"


def _is_vector(node: Node) -> bool:
    """Check for a product of one row, or of one column, of which an image of one pixel is made."""
    if kind(node) not in _PRODUCTS or len(shape(node)) < 2 or max(shape(node)) != prod(shape(node)):
        return False
    of_one_row = prod(shape(node)[:-1]) == 1
    if kind(node) == "linear" and len(shape(node)) > 3:
        return of_one_row
    return any(map(_adds_axes, node.users)) and (of_one_row or kind(node) != "linear")


def _adds_axes(node: Node) -> bool:
    """Check for a reshape to more axes, behind permutes or not."""
    if kind(node) == "permute":
        return any(map(_adds_axes, node.users))
    return kind(node) in RESHAPES and len(shape(node)) > 3


def remove_floors(path: Path, names: Collection[str]) -> None:
    """Remove the fences from the file: what read one reads what it read."""
    model = read_model(path)
    floors = positions_of(model, "FLOOR")
    for graph in model.subgraphs:
        sources = {
            op.outputs[0]: op.inputs[0]
            for op in graph.operators
            if op.opcodeIndex in floors and _is_named(graph.tensors[op.outputs[0]], names)
        }
        graph.operators = [op for op in graph.operators if op.outputs[0] not in sources]
        for op in graph.operators:
            op.inputs = [_source(tensor, sources) for tensor in op.inputs]
        graph.outputs = [_source(tensor, sources) for tensor in graph.outputs]
    write_model(model, path)


def _is_named(tensor: Any, names: Collection[str]) -> bool:
    return not names_of(tensor).isdisjoint(names)


def _source(tensor: int, sources: dict[int, int]) -> int:
    while tensor in sources:
        tensor = sources[tensor]
    return tensor
