"""Check of what Core AI supports: inputs beforehand, ops by the converter's own table."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.backends.blame import blamed, node_in_frames
from edgevit.backends.coreai.tool import module, versions
from edgevit.backends.exported import name_in_program
from edgevit.backends.unsupported import refuse_inputs, refuse_ops
from edgevit.backends.whole_numbers import refuse_wide_constants, refuse_wide_integers
from edgevit.graph.program import Program

_INPUTS = (
    torch.float32,
    torch.float16,
    torch.int8,
    torch.uint8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.bool,
)


def require_supported(program: Program) -> None:
    """Raise `UnsupportedOpError` for inputs, constants and whole numbers that Core AI narrows."""
    refuse_inputs(
        program, _INPUTS, "Core AI", "its inputs have at most 32 bits (int64 is passed as int32)"
    )
    refuse_wide_constants(program, "Core AI")
    refuse_wide_integers(program, "Core AI")


def require_lowerings(exported: Any, program: Program) -> None:
    """Raise `UnsupportedOpError` for every op that the converter has no lowering of."""
    table = module("coreai_torch._aten_to_core")._aten_to_core_resolver
    without = {
        name_in_program(node)
        for node in exported.graph.nodes
        if isinstance(node.target, torch._ops.OpOverload)
        and node.target.namespace != "coreai"  # of packed weights
        and str(node.target).removeprefix("aten.") not in table
    }
    refuse_ops(
        [node for node in program.calls() if node.name in without],
        "Core AI",
        f"coreai-torch {versions()['coreai-torch']} has no lowering for",
    )


def blame(program: Program) -> AbstractContextManager[None]:
    def explain(error: Exception) -> tuple[Node | None, str]:
        return node_in_frames(error, program, _worked_on), f"{type(error).__name__}: {error}"

    return blamed("Core AI", "coreai-torch failed to convert the program", explain)


def _worked_on(frame: FrameType) -> str:
    node = frame.f_locals.get("node")
    return name_in_program(node) if isinstance(node, Node) else ""
