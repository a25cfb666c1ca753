"""A failure that names no call -> the call where it begins.

A converter gives up without a word of where, or a runtime refuses the file that a converter has just written. The graph
is cut after its first calls, shorter and longer, until the shortest beginning that fails is known: its last call is it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.backends.api import Backend, Expected, Lowering
from edgevit.backends.blame import cannot_lower
from edgevit.backends.unsupported import READABLE
from edgevit.errors import (
    ConverterFailed,
    EdgevitError,
    PackageError,
    RuntimeFailed,
    UnsupportedOp,
)
from edgevit.graph.program import Program, value
from edgevit.support.backend_info import BACKENDS

_LONGEST = 300.0  # seconds to look for; then the calls that are left are told
_FORMATS = frozenset(BACKENDS) - {"mcu"}  # firmware names its calls before any tool is run
Attempt = Callable[[Program], None]


@contextmanager
def blamed_on_a_call(backend: Backend, request: Lowering, format: str) -> Iterator[None]:
    """Around all that a format does with a program, from its lowering to the first run of the file."""
    try:
        yield
    except Exception as error:
        if format not in _FORMATS or not names_no_call(error):
            raise
        request.progress("look for the call that it cannot take")
        raise blame_a_call(request.program, format, error, _attempt(backend, request)) from error


def _attempt(backend: Backend, request: Lowering) -> Attempt:
    def attempt(program: Program) -> None:
        source = replace(request.source, preprocess=None, labels=())
        with tempfile.TemporaryDirectory() as folder:
            part = replace(
                request,
                program=program,
                source=source,
                directory=Path(folder),
                progress=lambda _: None,
                image_input=False,
            )
            artifact = backend.lower(part)
            backend.check(artifact, Expected(program.inputs, program.run()))

    return attempt


def names_no_call(error: Exception) -> bool:
    """Of a file that was written a moment ago, `PackageError` and `RuntimeFailed` say that the runtime cannot take it."""
    if isinstance(error, EdgevitError):
        return isinstance(error, ConverterFailed | PackageError | RuntimeFailed)
    return True


def blame_a_call(program: Program, format: str, error: Exception, attempt: Attempt) -> Exception:
    """What to raise in place of `error`. `attempt` writes a program in the format and runs it, or raises."""
    calls = list(program.calls())
    failure = _failure(beginning(program, len(calls)), attempt)
    if failure is None:
        return _unplaced(format, error)
    good, bad = 0, len(calls)
    ends = time.monotonic() + _LONGEST
    while bad - good > 1 and time.monotonic() < ends:
        middle = (good + bad) // 2
        now = _failure(beginning(program, middle), attempt)
        good, bad = (good, middle) if now else (middle, bad)
        failure = now or failure
    if isinstance(failure, UnsupportedOp) and failure.where:
        return failure
    refusal = cannot_lower(_culprit(calls[bad - 1]), BACKENDS[format].title, _gist(failure))
    if bad - good > 1:
        refusal.where += f", or one of the {bad - good - 1} calls before it"
    return refusal


def _culprit(node: Node) -> Node:
    """No beginning ends in a complex number: what reads one is tried together with what makes it."""
    made = (n for n in node.all_input_nodes if n.op == "call_function" and not _is_readable(n))
    return next(made, node)


def _failure(program: Program | None, attempt: Attempt) -> Exception | None:
    if program is None:
        return None
    try:
        attempt(program)
    except UnsupportedOp as error:
        return error
    except Exception as error:
        return error if names_no_call(error) else None
    return None


def _gist(error: Exception) -> str:
    if not isinstance(error, EdgevitError):
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    return f"{error.message}: {error.why}" if error.why else error.message


def _unplaced(format: str, error: Exception) -> UnsupportedOp:
    return UnsupportedOp(
        f"{BACKENDS[format].title} cannot take this model",
        where="the whole graph: every beginning of it that was tried is taken",
        why=_gist(error),
        hint="return fewer or other tensors, or export with another `--format`",
    )


def beginning(program: Program, count: int) -> Program | None:
    """The first `count` calls, with all outputs that nothing among them reads; None without an input or an output."""
    calls = set(list(program.calls())[:count])
    ends = [node for node in program.calls() if node in calls and _is_end(node, calls)]
    graph, copies = fx.Graph(), dict[Node, Node]()
    for node in _read_by(program, calls):
        copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(tuple(copies[node] for node in ends))
    graph.eliminate_dead_code()
    taken = [k for k, node in enumerate(program.placeholders()) if node in copies]
    if not ends or not taken:
        return None
    return replace(
        program,
        graph=graph,
        inputs=tuple(program.inputs[k] for k in taken),
        input_names=tuple(program.input_names[k] for k in taken),
        output_names=tuple(f"output_{k}" for k in range(len(ends))),
        constants=dict(program.constants),
    )


def _read_by(program: Program, calls: set[Node]) -> Iterator[Node]:
    """The calls themselves, and the inputs and constants that they read."""
    for node in program.graph.nodes:
        if node in calls or (node.op != "call_function" and not calls.isdisjoint(node.users)):
            yield node


def _is_end(node: Node, calls: set[Node]) -> bool:
    """A tensor that an artifact can return, and that no call among `calls` reads."""
    return _is_readable(node) and calls.isdisjoint(node.users)


def _is_readable(node: Node) -> bool:
    tensor = value(node)
    return isinstance(tensor, torch.Tensor) and tensor.dtype in READABLE
