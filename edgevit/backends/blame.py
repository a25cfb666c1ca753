"""Errors of third-party tools, rewritten to name the op and the line of the user's model."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from torch.fx.node import Node

from edgevit.errors import ConverterError, EdgevitError, UnsupportedOpError
from edgevit.graph.advice import name_of, way_out
from edgevit.graph.aten import call_of
from edgevit.graph.program import Program, origin, value
from edgevit.graph.text import type_text

_LONGEST = 400  # letters of the tool's own words


@contextmanager
def blamed(
    format: str, failed: str, explain: Callable[[Exception], tuple[Node | None, str]]
) -> Iterator[None]:
    """Rewrite a tool's errors to name an op and a line of the user's model.

    `explain` returns the node at which the tool failed, if known, and the reason. `failed` is the
    message if the node is unknown.
    """
    try:
        yield
    except EdgevitError:
        raise
    except Exception as error:
        node, why = explain(error)
        why = why.strip()[:_LONGEST] or type(error).__name__
        raise cannot_lower(node, format, why) if node else _nowhere(failed, why) from error


def cannot_lower(node: Node, format: str, why: str) -> UnsupportedOpError:
    node = call_of(node)
    inputs = ", ".join(type_text(value(source)) for source in node.all_input_nodes)
    return UnsupportedOpError(
        f"{format} cannot lower `{name_of(node)}` ({inputs} -> {type_text(value(node))})",
        where=str(origin(node)),
        why=why[:_LONGEST],
        hint=way_out([node]),
    )


def _nowhere(failed: str, why: str) -> ConverterError:
    return ConverterError(
        failed,
        why=why,
    )


def node_in_frames(
    error: BaseException | None, program: Program, name_in: Callable[[FrameType], str]
) -> Node | None:
    """Return the innermost program node in work when `error` or its cause was raised.

    `name_in` reads a node's name from the locals of a frame.
    """
    innermost = None
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            innermost = named(program, name_in(frame)) or innermost
        error = error.__cause__ or error.__context__
    return innermost


def named(program: Program, name: str) -> Node | None:
    return next((node for node in program.calls() if node.name == name), None)
