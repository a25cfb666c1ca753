"""Refusal of ops that the interpreter has no kernel for.

A file may hold such ops. They are found when it is opened, and reported with their lines.
"""

from __future__ import annotations

import re
from pathlib import Path

from edgevit.backends.tflite.flatbuffer import names_of, positions_of, read_model
from edgevit.backends.unsupported import refuse_ops
from edgevit.errors import PackageError
from edgevit.graph.program import Program

_MISSING = re.compile(r"Didn't find op for builtin opcode '(\w+)'")


def refuse_missing_kernel(error: PackageError, path: Path, program: Program) -> None:
    """Raise `UnsupportedOpError` if `error` says that the interpreter lacks a kernel."""
    match = _MISSING.search(error.why)
    if match is None:
        return
    kernel = match.group(1)
    parts = _made_by(kernel, path)
    nodes = [node for node in program.calls() if node.name in parts]
    nodes = nodes or list(
        program.outputs()
    )  # what is an output of the file is not named after its node
    path.unlink()
    refuse_ops(
        nodes, "TFLite", f"its interpreter has no kernel {kernel}, which litert-torch makes of"
    )


def _made_by(kernel: str, path: Path) -> set[str]:
    """Return the names of the nodes that ops of this kind are made of."""
    model = read_model(path)
    kinds = positions_of(model, kernel)
    return {
        name
        for graph in model.subgraphs
        for operator in graph.operators
        if operator.opcodeIndex in kinds
        for tensor in operator.outputs
        for name in names_of(graph.tensors[tensor])
    }
