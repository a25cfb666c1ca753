"""Text form of an integer graph for review in a diff: one line a value.

%fc1 = linear(%norm2) int8[64x384] scale 0.0213 zero -3        # blocks.0.mlp.fc1
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

from edgevit.integer.graph import IntegerGraph, Op, Value


def integer_text(graph: IntegerGraph, sums: bool = True) -> str:
    """Format the graph.

    `sums` adds a checksum to every constant: equal texts then mean equal computation.
    """
    lines = [f"graph {graph.name}"]
    lines += [f"  %{value.name} = input {value}" for value in graph.inputs]
    lines += [
        f"  %{constant.value.name} = constant {constant.value}" + _sum(sums, constant.data)
        for constant in graph.constants
    ]
    lines += [_line(op, sums) for op in graph.ops]
    lines.append("  return " + ", ".join(f"%{value.name}" for value in graph.outputs))
    lines += [
        f"  %{graph.inputs[k].name} is %{graph.outputs[j].name} in the next call"
        for k, j in graph.states
    ]
    return "\n".join(lines) + "\n"


def _line(op: Op, sums: bool) -> str:
    words = ", ".join(map(_reference, op.inputs))
    settings = f" {{{op.settings()}}}" if op.settings() else ""
    place = f"  # {op.origin.module}" if op.origin.module else ""
    numbers = "".join(
        f" {name}{_sum(sums, array)}" for name, array in op.constants().items() if sums
    )
    return f"  %{op.name} = {op.kind}({words}){settings} {op.output}{numbers}{place}"


def _reference(value: Value) -> str:
    return f"%{value.name}"


def _sum(checksums: bool, array: np.ndarray) -> str:
    return f" {crc32(np.ascontiguousarray(array).tobytes()):08x}" if checksums else ""
