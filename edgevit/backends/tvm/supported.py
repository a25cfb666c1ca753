"""Check of ops against the table of TVM's importer before anything is imported."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import FrameType

import torch
from torch.fx.node import Node

from edgevit.backends.blame import blamed, node_in_frames
from edgevit.backends.exported import name_in_program
from edgevit.backends.tvm.converters import importer
from edgevit.backends.tvm.tool import versions
from edgevit.backends.unsupported import read_places, refuse_inputs, refuse_ops
from edgevit.graph.program import Program

_INPUTS = (
    torch.float32,
    torch.float64,
    torch.int8,
    torch.uint8,
    torch.int32,
    torch.int64,
    torch.bool,
)


def require_inputs(program: Program) -> None:
    refuse_inputs(program, _INPUTS, "TVM", "its kernels take real numbers, integers and booleans")


def require_ops(decomposed: torch.export.ExportedProgram, program: Program) -> None:
    """Raise `UnsupportedOpError` for all ops without a converter."""
    converters = importer().convert_map
    names = {
        name_in_program(node)
        for node in decomposed.graph.nodes
        if node.op == "call_function" and getattr(node.target, "__name__", "") not in converters
    }
    refuse_ops(
        [node for node in program.calls() if node.name in names],
        "TVM",
        f"apache-tvm {versions()['apache-tvm']} has no converter for",
    )


def refuse_places(program: Program) -> None:
    """Raise `UnsupportedOpError` for pools whose indices of the maxima are read."""
    refuse_ops(
        read_places(program),
        "TVM",
        f"apache-tvm {versions()['apache-tvm']} does not return the indices of the maxima for",
    )


def blame(program: Program) -> AbstractContextManager[None]:
    def explain(error: Exception) -> tuple[Node | None, str]:
        *_, last = ["", *(line.strip() for line in str(error).splitlines() if line.strip())]
        return node_in_frames(error, program, _imported), f"{type(error).__name__}: {last}"

    return blamed("TVM", "TVM failed to compile the program", explain)


def _imported(frame: FrameType) -> str:
    node = frame.f_locals.get("node")
    return name_in_program(node) if isinstance(node, Node) else ""
