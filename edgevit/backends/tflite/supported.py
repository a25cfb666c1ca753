"""What TFLite cannot say, and what litert-torch raises, as errors that name the op and the line of the user's model."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.backends.tflite.convert import decomposed, fully_decomposed, marked_name
from edgevit.backends.tflite.tool import litert, quiet, versions
from edgevit.backends.unsupported import refuse_inputs, refuse_ops
from edgevit.errors import EdgevitError, InternalError, UnsupportedOp
from edgevit.graph.aten import kind, op
from edgevit.graph.program import Program, origin, value
from edgevit.graph.text import type_text

_INPUTS = (torch.float32, torch.int32, torch.int64, torch.bool)
_BITS = frozenset(
    {"bitwise_and", "bitwise_or", "bitwise_not", "__and__", "__or__", "__rand__", "__ror__"}
)
_INT32 = torch.iinfo(torch.int32)


def require_supported(program: Program) -> None:
    refuse_inputs(
        program,
        _INPUTS,
        "TFLite",
        "its kernels take float32, int32 and bool (int64 is passed as int32)",
    )
    _require_int32(program)
    bits = [node for node in program.calls() if kind(node) in _BITS and not _of_bools(node)]
    refuse_ops(bits, "TFLite", "TFLite has no kernel for")
    places = [node for node in program.calls() if _reads_places(node)]
    refuse_ops(places, "TFLite", "litert-torch makes up where the maxima are for")


def _of_bools(node: Node) -> bool:
    return value(node).dtype == torch.bool


def _reads_places(node: Node) -> bool:
    """A pool that is asked where in the image its maxima are."""
    if "max_pool" not in op(node):
        return False
    return any(op(read) == "getitem" and read.args[1] == 1 and read.users for read in node.users)


def _require_int32(program: Program) -> None:
    """Every int64 becomes an int32 in the file, and a larger number another one."""
    named = {
        **dict(zip(program.input_names, program.inputs, strict=True)),
        **program.constants,
    }
    large = [name for name, tensor in named.items() if _overflows(tensor)]
    if large:
        raise UnsupportedOp(
            "TFLite has 32-bit integers, and larger numbers are in "
            + ", ".join(f"`{name}`" for name in large),
            why=f"the largest is {_INT32.max}",
            hint="keep such numbers out of the model, or export with another `--format`",
        )


def _overflows(tensor: torch.Tensor) -> bool:
    if tensor.dtype != torch.int64 or not tensor.numel():
        return False
    return bool(tensor.max() > _INT32.max or tensor.min() < _INT32.min)


@contextmanager
def blame(program: Program, said: IO[bytes]) -> Iterator[None]:
    """What the converter raises -> all the ops it does not know, or the one it failed at. Some of its errors say why
    in `said` alone, which holds what it wrote to stderr."""
    try:
        yield
    except EdgevitError:
        raise
    except Exception as error:
        refuse_ops(
            _unknown(program),
            "TFLite",
            f"litert-torch {versions()['litert-torch']} has no lowering for",
        )
        said.seek(0)
        told = f"{error}\n{said.read().decode(errors='replace')}"
        raise _explain(error, told, program) from error


def _unknown(program: Program) -> list[Node]:
    """The program's nodes that lead, once decomposed, to an op without a lowering."""
    lookup = litert("backend.lowerings").lookup
    try:
        with quiet():
            exported = fully_decomposed(decomposed(program))
    except Exception:
        return []  # it fails before any op is looked up
    names = {
        marked_name(node)
        for node in exported.graph.nodes
        if node.op == "call_function"
        and isinstance(node.target, torch._ops.OpOverload)
        and lookup(node.target) is None
    }
    return [node for node in program.calls() if node.name in names]


def _explain(error: Exception, told: str, program: Program) -> EdgevitError:
    why = _gist(told) or type(error).__name__
    node = _node_in_frames(error, program) or _node_in_message(told, program)
    if node is None:
        return InternalError(
            "litert-torch failed",
            why=why,
            hint="tell us: we should have rewritten the graph so that it does not meet this",
        )
    inputs = ", ".join(type_text(value(source)) for source in node.all_input_nodes)
    return UnsupportedOp(
        f"TFLite cannot lower `{op(node)}` ({inputs} -> {type_text(value(node))})",
        where=str(origin(node)),
        why=why,
        hint="write this line with other ops, or export with another `--format`",
    )


def _gist(told: str) -> str:
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return next((line for line in lines if "error:" in line), lines[0] if lines else "")[:400]


def _node_in_frames(error: BaseException, program: Program) -> Node | None:
    """The graph's node that was being traced or lowered: it is an argument of the interpreter's own frame."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "run_node":
            for held in (frame.f_locals.get("n"), frame.f_locals.get("node")):
                if isinstance(held, fx.Node):
                    return _named(program, marked_name(held))
    return None


def _node_in_message(message: str, program: Program) -> Node | None:
    """The MLIR passes quote locations, and these hold the nodes' names."""
    for quoted in re.findall(r"\"([^\"]+)\"", message):
        for part in quoted.split(";"):
            node = _named(program, part)
            if node is not None:
                return node
    return None


def _named(program: Program, name: str) -> Node | None:
    return next((node for node in program.calls() if node.name == name), None)
