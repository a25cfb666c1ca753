"""Check of what ExecuTorch supports.

Inputs are checked before the conversion, ops in the graph that its kernels would run.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.backends.blame import blamed, node_in_frames
from edgevit.backends.executorch.tool import module, versions
from edgevit.backends.exported import name_in_program
from edgevit.backends.unsupported import refuse_inputs, refuse_ops
from edgevit.graph.program import Program

_INPUTS = (
    torch.float32,
    torch.float16,
    torch.float64,
    torch.int8,
    torch.uint8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.bool,
)


def require_inputs(program: Program) -> None:
    refuse_inputs(
        program, _INPUTS, "ExecuTorch", "its kernels take real numbers, integers and booleans"
    )


def require_kernels(exported: Any, program: Program) -> None:
    """Raise `UnsupportedOpError` for every op without a delegate and without a portable kernel."""
    kernels = set(module("extension.pybindings.portable_lib")._get_operator_names())
    out_variant = module("exir.operator.convert").to_out_variant
    without = {
        name_in_program(node)
        for node in exported.graph.nodes
        if node.op == "call_function" and not _has_kernel(node, kernels, out_variant)
    }
    refuse_ops(
        [node for node in program.calls() if node.name in without],
        "ExecuTorch",
        f"executorch {versions()['executorch']} has no kernel for",
    )


def _has_kernel(node: Node, kernels: set[str], out_variant: Any) -> bool:
    overload = node.target
    if not isinstance(overload, torch._ops.OpOverload):
        overload = getattr(overload, "_op", None)  # what the edge dialect wraps
    if not isinstance(overload, torch._ops.OpOverload):
        return True  # a delegate, or a part of its result
    if overload._schema.name == "aten::convolution" and node.meta["val"].ndim > 4:
        return False  # the kernel is there, and refuses when it runs
    try:
        schema, _ = out_variant(overload)
    except RuntimeError:
        return False
    except AssertionError:  # `pow` has overloads on plain numbers, which the search trips over
        return f"{overload._schema.name}.{overload._overloadname}_out" in kernels
    return schema.name() in kernels


def blame(program: Program) -> AbstractContextManager[None]:
    def explain(error: Exception) -> tuple[Node | None, str]:
        return node_in_frames(error, program, _worked_on), f"{type(error).__name__}: {error}"

    return blamed("ExecuTorch", "ExecuTorch failed to lower the program", explain)


def _worked_on(frame: FrameType) -> str:
    locals_of_frame = (frame.f_locals.get(local) for local in ("node", "n"))
    names = (name_in_program(node) for node in locals_of_frame if isinstance(node, Node))
    return next(filter(None, names), "")
