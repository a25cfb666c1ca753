"""What TVM's importer cannot say, asked of its own table before anything is imported."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.backends.exported import name_in_program
from edgevit.backends.tvm.converters import importer
from edgevit.backends.tvm.tool import versions
from edgevit.backends.unsupported import refuse_inputs, refuse_ops
from edgevit.errors import EdgevitError, InternalError, UnsupportedOp
from edgevit.graph.aten import kind, op
from edgevit.graph.program import Program, origin

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
    """Raises `UnsupportedOp` for all the ops without a converter."""
    known = importer().convert_map
    names = {
        name_in_program(node)
        for node in decomposed.graph.nodes
        if node.op == "call_function" and getattr(node.target, "__name__", "") not in known
    }
    refuse_ops(
        [node for node in program.calls() if node.name in names],
        "TVM",
        f"apache-tvm {versions()['apache-tvm']} has no converter for",
    )


def refuse_places(program: Program) -> None:
    """Raises `UnsupportedOp` for pools that are asked where in the image their maxima are."""
    refuse_ops(
        [node for node in program.calls() if "max_pool" in kind(node) and _reads_places(node)],
        "TVM",
        f"apache-tvm {versions()['apache-tvm']} does not tell where the maxima are for",
    )


def _reads_places(node: Node) -> bool:
    return any(op(read) == "getitem" and read.args[1] == 1 and read.users for read in node.users)


@contextmanager
def blame(program: Program) -> Iterator[None]:
    """What TVM raises -> an error that names the op and the line of the user's model."""
    try:
        yield
    except EdgevitError:
        raise
    except Exception as error:
        raise _explain(error, program) from error


def _explain(error: Exception, program: Program) -> EdgevitError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    why = f"{type(error).__name__}: {lines[-1] if lines else ''}"[:400]
    node = _node_in_frames(error, program)
    if node is None:
        return InternalError(
            "TVM failed to compile the program",
            why=why,
            hint="tell us, and export with another `--format` meanwhile",
        )
    return UnsupportedOp(
        f"TVM cannot lower `{op(node)}`",
        where=str(origin(node)),
        why=why,
        hint="write this line with other ops, or export with another `--format`",
    )


def _node_in_frames(error: BaseException, program: Program) -> Node | None:
    """The node that was being imported is a local of the importer's frame."""
    found = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        held: Any = frame.f_locals.get("node")
        if isinstance(held, Node):
            found = name_in_program(held) or found
    return next((node for node in program.calls() if node.name == found), None)
