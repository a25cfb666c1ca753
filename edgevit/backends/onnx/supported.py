"""What ONNX cannot say, found beforehand for inputs, and for ops by asking the exporter's own table once it has failed."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import torch
from torch.fx.node import Node

from edgevit.backends.exported import exported_program, name_in_program
from edgevit.backends.unsupported import refuse_inputs, refuse_ops
from edgevit.errors import EdgevitError, InternalError, UnsupportedOp
from edgevit.graph.aten import op
from edgevit.graph.program import Program, origin

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


@contextmanager
def blame(program: Program) -> Iterator[None]:
    """What the exporter raises -> all the ops it does not know, or the one it failed at."""
    try:
        yield
    except EdgevitError:
        raise
    except Exception as error:
        refuse_ops(_unknown(program), "ONNX", f"torch {torch.__version__} has no ONNX function for")
        raise _explain(error, program) from error


def _unknown(program: Program) -> list[Node]:
    """The program's nodes that lead, once decomposed, to an op without a translation."""
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


def _explain(error: Exception, program: Program) -> EdgevitError:
    cause = error.__cause__ or error
    why = str(cause).strip().partition("\n")[0][:400] or type(cause).__name__
    node = _node_in_conversion(error, program)
    if node is None:
        return InternalError(
            "torch's ONNX exporter failed",
            why=why,
            hint="tell us: we should have rewritten the graph so that it does not meet this",
        )
    return UnsupportedOp(
        f"ONNX cannot lower `{op(node)}`",
        where=str(origin(node)),
        why=why,
        hint="write this line with other ops, or export with another `--format`",
    )


def _node_in_conversion(error: BaseException | None, program: Program) -> Node | None:
    """The fx node that was being translated is a local of the exporter's own frame."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            made_from = frame.f_locals.get("node")
            if frame.f_code.co_name.startswith("_handle_call") and isinstance(made_from, Node):
                name = name_in_program(made_from)
                return next((n for n in program.calls() if n.name == name), None)
        error = error.__cause__ or error.__context__
    return None
