"""Fences between floats and integers: an op of floats for the converter, and none in the file.

The converter computes a call in integers if some call beside it does, in an encoding of its own
choice. It stops at an op that has no integer kernel: FLOOR is one, and no pass of the converter
merges it with others. The file is rid of these ops when it has been written.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from edgevit.backends.tflite.flatbuffer import names_of, positions_of, read_model, write_model
from edgevit.graph.edit import Draft
from edgevit.graph.program import Program
from edgevit.quantize import is_fence


def fence_names(program: Program) -> frozenset[str]:
    return frozenset(node.name for node in program.calls() if is_fence(node))


def with_floors(program: Program) -> Program:
    """Return the program with FLOOR in place of each fence."""
    draft = Draft(program)
    for node in draft.graph.nodes:
        if is_fence(node):
            node.target = torch.ops.aten.floor.default
            node.args, node.kwargs = node.args[:1], {}
    return draft.program()


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
