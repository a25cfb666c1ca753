"""Mapping from the values of a package to the lines of the user's model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch.fx.node import Node

from edgevit.backends.coreml.check.program import Function, Operation
from edgevit.graph.program import Program, origin

_OF_A_PASS = re.compile(r"(?:_cast_fp16|_to_fp16)(?:_\d+)?$")


def places(function: Function, program: Program) -> dict[str, str]:
    """Return the place of every operation, by name.

    coremltools gives a value its node's name if it is the last that the node became. A value of
    another name takes the place of the nearest named one that reads it, or that it reads.
    """
    nodes = {node.name: node for node in program.calls()}
    by_operation = {
        operation.name: place
        for operation in function.operations
        if (place := _own_place(operation, nodes))
    }
    readers: dict[str, list[str]] = {}
    for operation in function.operations:
        for source in operation.reads():
            readers.setdefault(source, []).append(operation.name)
    for operation in reversed(function.operations):
        results = [reader for out in operation.outputs for reader in readers.get(out.name, ())]
        _take(operation, results, by_operation)
    for operation in function.operations:
        _take(operation, operation.reads(), by_operation)
    return by_operation


def _own_place(operation: Operation, nodes: Mapping[str, Node]) -> str:
    """Return the place of the node that the operation is named after; "" if there is none.

    A name that coremltools generated may be that of another node. Its shape then differs in most
    cases, so shapes are compared.
    """
    node = nodes.get(_OF_A_PASS.sub("", operation.name))
    if node is None:
        return ""
    shape = getattr(node.meta["val"], "shape", None)
    alike = shape is None or operation.outputs[0].type.admits(tuple(shape))
    return origin(node).place if alike else ""


def _take(operation: Operation, others: Iterable[str], by_operation: dict[str, str]) -> None:
    place = next((by_operation[other] for other in others if other in by_operation), "")
    if place:
        by_operation.setdefault(operation.name, place)
