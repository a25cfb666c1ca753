"""Limits of TFLite and errors of litert-torch, with the op and the line of the user's model."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from types import FrameType
from typing import IO

import torch
from torch.fx.node import Node

from edgevit.backends.blame import blamed, named, node_in_frames
from edgevit.backends.tflite.convert import decomposed, fully_decomposed, marked_name
from edgevit.backends.tflite.tool import litert, quiet, versions
from edgevit.backends.unsupported import read_places, refuse_inputs, refuse_ops
from edgevit.backends.whole_numbers import refuse_wide_constants, refuse_wide_integers
from edgevit.graph.aten import kind
from edgevit.graph.program import Program, value

_INPUTS = (torch.float32, torch.int32, torch.int64, torch.bool, torch.uint8, torch.int8)
_BITS = frozenset(
    {"bitwise_and", "bitwise_or", "bitwise_not", "__and__", "__or__", "__rand__", "__ror__"}
)


def require_supported(program: Program) -> None:
    refuse_inputs(
        program,
        _INPUTS,
        "TFLite",
        "its kernels take float32, int32, bytes and bool (int64 is passed as int32)",
    )
    refuse_wide_constants(program, "TFLite")
    refuse_wide_integers(program, "TFLite")
    bits = [node for node in program.calls() if kind(node) in _BITS and not _of_bools(node)]
    refuse_ops(bits, "TFLite", "TFLite has no kernel for")
    volumes = [node for node in program.calls() if _is_moving_volume(node)]
    refuse_ops(volumes, "TFLite", "litert-torch dies of weights that are no constants in")
    refuse_ops(read_places(program), "TFLite", "litert-torch makes up where the maxima are for")


def _is_moving_volume(node: Node) -> bool:
    """Return whether a convolution of three axes has weights that are computed."""
    if kind(node) not in {"conv3d", "conv_transpose3d"}:
        return False
    weight = node.args[1]
    return isinstance(weight, Node) and weight.op != "get_attr"


def _of_bools(node: Node) -> bool:
    return value(node).dtype == torch.bool


def blame(program: Program, said: IO[bytes]) -> AbstractContextManager[None]:
    """Rewrite the converter's errors.

    The new error names all ops that the converter does not know, or the one it failed at. Some
    errors give their reason only in `said`, which holds what the converter wrote to stderr.
    """

    def explain(error: Exception) -> tuple[Node | None, str]:
        why = f"litert-torch {versions()['litert-torch']} has no lowering for"
        refuse_ops(_unknown(program), "TFLite", why)
        said.seek(0)
        told = f"{error}\n{said.read().decode(errors='replace')}"
        node = node_in_frames(error, program, _run) or _node_in_message(told, program)
        return node, _gist(told)

    return blamed("TFLite", "litert-torch failed", explain)


def _unknown(program: Program) -> list[Node]:
    """Return the program's nodes that decompose to an op without a lowering."""
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


def _gist(told: str) -> str:
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return next((line for line in lines if "error:" in line), lines[0] if lines else "")


def _run(frame: FrameType) -> str:
    """Return the name of the node that was being traced or lowered; "" in another frame.

    The node is an argument of the interpreter's own frame `run_node`.
    """
    if frame.f_code.co_name != "run_node":
        return ""
    locals_of_frame = (frame.f_locals.get(local) for local in ("n", "node"))
    return next((marked_name(node) for node in locals_of_frame if isinstance(node, Node)), "")


def _node_in_message(message: str, program: Program) -> Node | None:
    """Return the first node of the program that a quoted location in the message names.

    The MLIR passes quote locations, and these hold the nodes' names.
    """
    for quoted in re.findall(r"\"([^\"]+)\"", message):
        for part in quoted.split(";"):
            node = named(program, part)
            if node is not None:
                return node
    return None
