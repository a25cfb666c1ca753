"""Ops of a TFLite file that XNNPACK takes, read from the interpreter that has opened it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevit.backends.delegation import Delegation, Outside, grouped
from edgevit.graph.program import Program, origin

DELEGATE = "DELEGATE"


@dataclass(frozen=True)
class InterpreterOp:
    """Node of the interpreter's graph."""

    name: str  # "CONV_2D"
    inputs: tuple[int, ...]  # tensors
    outputs: tuple[int, ...]


def ops_of(interpreter: Any) -> list[InterpreterOp]:
    """Return the file's ops in order, then the delegates that replace some of them."""
    return [
        InterpreterOp(detail["op_name"], _tensors(detail["inputs"]), _tensors(detail["outputs"]))
        for detail in interpreter._get_ops_details()
    ]


def _tensors(indices: Iterable[int]) -> tuple[int, ...]:
    return tuple(int(index) for index in indices if index >= 0)  # -1: an input left out


def inside(ops: Sequence[InterpreterOp]) -> set[int]:
    """Return the positions of the ops that some delegate computes.

    The search goes back from a delegate's outputs to its inputs.
    """
    maker = {
        tensor: position
        for position, op in enumerate(ops)
        if op.name != DELEGATE
        for tensor in op.outputs
    }
    positions: set[int] = set()
    for delegate in (op for op in ops if op.name == DELEGATE):
        pending = list(delegate.outputs)
        inputs = set(delegate.inputs)
        while pending:
            position = maker.get(pending.pop())
            if position is not None and position not in positions:
                positions.add(position)
                pending += [tensor for tensor in ops[position].inputs if tensor not in inputs]
    return positions


def delegation(interpreter: Any, program: Program) -> Delegation:
    ops = ops_of(interpreter)
    taken = inside(ops)
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    places = Places(program, interpreter.get_output_details())
    once = _computed_once(ops, {detail["index"] for detail in interpreter.get_input_details()})
    outside = [
        Outside(op.name, places.of(op, details), 1, _bytes(op, details))
        for position, op in enumerate(ops)
        if op.name != DELEGATE and position not in taken | once
    ]
    delegates = sum(op.name == DELEGATE for op in ops)
    return Delegation("XNNPACK", delegates, len(taken - once), grouped(outside))


def _computed_once(ops: Sequence[InterpreterOp], inputs: set[int]) -> set[int]:
    """Return the positions of ops that read constants only.

    Examples are the ops that widen float16 weights.
    """
    varies = set(inputs)
    positions = set()
    for position, op in enumerate(ops):
        if op.name != DELEGATE and varies.isdisjoint(op.inputs):
            positions.add(position)
        else:
            varies.update(op.outputs)
    return positions


class Places:
    """Places in the user's model of a file's ops.

    The file's tensors are named after the program's nodes. An op made of several has all their
    names, the last to be computed first: `relu;;conv2d;`. An output of the file is named after the
    signature instead.
    """

    def __init__(self, program: Program, outputs: Sequence[Mapping[str, Any]]) -> None:
        self._origins = {node.name: origin(node).place for node in program.calls()}
        self._outputs = {
            detail["index"]: origin(node).place
            for detail, node in zip(outputs, program.outputs(), strict=True)
        }

    def of(self, op: InterpreterOp, details: Mapping[int, Mapping[str, Any]]) -> str:
        for tensor in op.outputs:
            if tensor in self._outputs:
                return self._outputs[tensor]
            name = details[tensor]["name"] if tensor in details else ""
            for part in name.split(";"):
                if part in self._origins:
                    return self._origins[part]
        return ""


def _bytes(op: InterpreterOp, details: Mapping[int, Mapping[str, Any]]) -> int:
    return sum(_size(details[tensor]) for tensor in (*op.inputs, *op.outputs) if tensor in details)


def _size(detail: Mapping[str, Any]) -> int:
    return int(np.prod(detail["shape"], dtype=np.int64)) * np.dtype(detail["dtype"]).itemsize
