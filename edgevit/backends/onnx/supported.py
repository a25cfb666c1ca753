"""Check of what ONNX supports: inputs beforehand, ops by the exporter's table after a failure."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from types import FrameType

import torch
from torch.fx.node import Node

from edgevit.backends.blame import blamed, node_in_frames
from edgevit.backends.exported import exported_program, name_in_program
from edgevit.backends.unsupported import refuse_inputs, refuse_ops
from edgevit.graph.program import Program

_INPUTS = (
    torch.float32,
    torch.float16,
    torch.float64,
    torch.int8,
    torch.uint8,
    torch.int32,
    torch.int64,
    torch.bool,
)


def require_inputs(program: Program) -> None:
    refuse_inputs(
        program, _INPUTS, "ONNX", "ONNX Runtime feeds real numbers, integers and booleans"
    )


def blame(program: Program) -> AbstractContextManager[None]:
    """Rewrite the exporter's errors.

    The new error names all ops that the exporter does not know, or the one it failed at.
    """

    def explain(error: Exception) -> tuple[Node | None, str]:
        why = f"torch {torch.__version__} has no ONNX function for"
        refuse_ops(_unknown(program), "ONNX", why)
        said = str(error.__cause__ or error).strip().partition("\n")[0]
        return node_in_frames(error, program, _translated), said

    return blamed("ONNX", "torch's ONNX exporter failed", explain)


def _unknown(program: Program) -> list[Node]:
    """Return the program's nodes that decompose to an op without a translation."""
    exporter = "torch.onnx._internal.exporter"
    registry = import_module(f"{exporter}._registration").ONNXRegistry.from_torchlib()
    dispatch = import_module(f"{exporter}._dispatching").dispatch
    prepare = import_module(f"{exporter}._core")._prepare_exported_program_for_export
    try:
        decomposed = prepare(exported_program(program), registry=registry)
    except Exception:
        return []  # it fails before any op is looked up
    names = {
        name_in_program(node)
        for node in decomposed.graph.nodes
        if node.op == "call_function"
        and isinstance(node.target, torch._ops.OpOverload)
        and dispatch(node, registry)[0] is None
    }
    return [node for node in program.calls() if node.name in names]


def _translated(frame: FrameType) -> str:
    made_from = frame.f_locals.get("node")
    if frame.f_code.co_name.startswith("_handle_call") and isinstance(made_from, Node):
        return name_in_program(made_from)
    return ""
