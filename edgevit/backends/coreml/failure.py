"""What coremltools raises -> an error that names the op and the line of the user's model."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from torch.fx.node import Node

from edgevit.errors import EdgevitError, InternalError, UnsupportedOp
from edgevit.graph.aten import op
from edgevit.graph.program import Program, origin, value
from edgevit.graph.text import type_text


@contextmanager
def blame(program: Program, doing: str) -> Iterator[None]:
    try:
        yield
    except EdgevitError:
        raise
    except Exception as error:
        raise _explain(error, program, doing) from error


def _explain(error: Exception, program: Program, doing: str) -> EdgevitError:
    why = str(error).strip()[:400] or type(error).__name__
    node = node_in_conversion(error, program) or _node_in_message(str(error), program)
    if node is None:
        return InternalError(
            f"coremltools failed to {doing}",
            why=why,
            hint="tell us: we should have rewritten the graph so that it does not meet this",
        )
    inputs = ", ".join(type_text(value(source)) for source in node.all_input_nodes)
    return UnsupportedOp(
        f"Core ML cannot lower `{op(node)}` ({inputs} -> {type_text(value(node))})",
        where=str(origin(node)),
        why=why,
        hint="write this line with other ops, or export with another `--format`",
    )


def node_in_conversion(error: Exception, program: Program) -> Node | None:
    """The graph's node that was being read or converted: it is a local of coremltools' own frame."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name in {"from_exir_node", "convert_single_node"}:
            return _named(program, getattr(frame.f_locals.get("node"), "name", ""))
    return None


def _node_in_message(message: str, program: Program) -> Node | None:
    """Later errors quote the op: names come from the graph, with what a pass has appended."""
    for quoted in re.findall(r"[\"'`]([A-Za-z_]\w*)[\"'`]", message):
        node = _named(program, re.sub(r"(_cast_fp16|_to_fp16|_\d+)+$", "", quoted)) or _named(
            program, quoted
        )
        if node is not None:
            return node
    return None


def _named(program: Program, name: str) -> Node | None:
    return next((node for node in program.calls() if node.name == name), None)
