"""Errors of coremltools, rewritten to name the op and the line of the user's model."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from types import FrameType

from torch.fx.node import Node

from edgevit.backends.blame import blamed, named, node_in_frames
from edgevit.graph.program import Program


def blame(program: Program, doing: str) -> AbstractContextManager[None]:
    def explain(error: Exception) -> tuple[Node | None, str]:
        node = node_in_conversion(error, program) or _node_in_message(str(error), program)
        return node, str(error)

    return blamed("Core ML", f"coremltools failed to {doing}", explain)


def node_in_conversion(error: Exception, program: Program) -> Node | None:
    """Return the program's node that was being read or converted when `error` was raised."""
    return node_in_frames(error, program, _converted)


def _converted(frame: FrameType) -> str:
    if frame.f_code.co_name not in {"from_exir_node", "convert_single_node"}:
        return ""
    return getattr(frame.f_locals.get("node"), "name", "")


def _node_in_message(message: str, program: Program) -> Node | None:
    """Return the node that a quoted name in the message refers to.

    Later errors quote the op under the graph's name, with a suffix that a pass has appended.
    """
    for quoted in re.findall(r"[\"'`]([A-Za-z_]\w*)[\"'`]", message):
        node = named(program, re.sub(r"(_cast_fp16|_to_fp16|_\d+)+$", "", quoted)) or named(
            program, quoted
        )
        if node is not None:
            return node
    return None
