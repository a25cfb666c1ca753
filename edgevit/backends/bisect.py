"""Find the call where a failure that names no call begins.

Some converters fail without naming a call, and some runtimes refuse the file that a converter has
just written. The graph is cut after its first calls, and bisection finds the shortest beginning
that fails. Its last call is the one to name.
"""

from __future__ import annotations

import tempfile
import time
import traceback
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
    BackendRuntimeError,
    ConverterError,
    EdgevitError,
    PackageError,
    UnsupportedOpError,
)
from edgevit.graph.program import Program, value
from edgevit.support.backend_info import BACKENDS

_LONGEST = 300.0  # seconds to search; after them the error names all calls that are left
Attempt = Callable[[Program], None]


@contextmanager
def blamed_on_a_call(backend: Backend, request: Lowering, format: str) -> Iterator[None]:
    """Rewrite a failure that names no call, by a search for the first call that fails.

    The context spans all that a format does with a program, from its lowering to the first run of
    the file.
    """
    try:
        yield
    except Exception as error:
        # firmware names its calls before any tool is run
        if BACKENDS[format].firmware or not names_no_call(error):
            raise
        request.progress("look for the call that it cannot take")
        blamed = blame_a_call(request.program, format, error, _attempt(backend, request))
        if blamed is error:
            raise
        raise blamed from error


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
    """Return whether `error` names no call of the program.

    `PackageError` and `BackendRuntimeError` about a file that was written a moment ago mean that the
    runtime does not accept it.
    """
    if isinstance(error, EdgevitError):
        return isinstance(error, ConverterError | PackageError | BackendRuntimeError)
    return True


def is_our_own(error: Exception) -> bool:
    """Return whether a line of edgevit raised `error`, and none of a converter or a runtime."""
    frames = list(traceback.walk_tb(error.__traceback__))
    if isinstance(error, EdgevitError) or not frames:
        return False
    return frames[-1][0].f_globals.get("__name__", "").partition(".")[0] == "edgevit"


def blame_a_call(program: Program, format: str, error: Exception, attempt: Attempt) -> Exception:
    """Return the error to raise in place of `error`, which names the call that fails first.

    `attempt` writes a program in the format and runs it, or raises. The search is a bisection over
    the number of calls and stops after `_LONGEST` seconds.
    """
    calls = list(program.calls())
    failure = _failure(beginning(program, len(calls)), attempt)
    if failure is None:
        return error if is_our_own(error) else _unplaced(format, error)
    good, bad = 0, len(calls)
    ends = time.monotonic() + _LONGEST
    while bad - good > 1 and time.monotonic() < ends:
        middle = (good + bad) // 2
        now = _failure(beginning(program, middle), attempt)
        if now and type(now) is type(failure):  # another kind is of where the beginning was cut
            bad, failure = middle, now
        else:
            good = middle
    if isinstance(failure, UnsupportedOpError) and failure.where:
        return failure
    refusal = cannot_lower(_culprit(calls[bad - 1]), BACKENDS[format].title, _gist(failure))
    if bad - good > 1:
        refusal.where += f", or one of the {bad - good - 1} calls before it"
    return refusal


def _culprit(node: Node) -> Node:
    """Return the complex operand that `node` reads, else `node` itself.

    No beginning ends in a complex number, so its reader is tried together with its producer.
    """
    culprits = (n for n in node.all_input_nodes if n.op == "call_function" and not _is_readable(n))
    return next(culprits, node)


def _failure(program: Program | None, attempt: Attempt) -> Exception | None:
    if program is None:
        return None
    try:
        attempt(program)
    except UnsupportedOpError as error:
        return error
    except Exception as error:
        return error if names_no_call(error) else None
    return None


def _gist(error: Exception) -> str:
    if not isinstance(error, EdgevitError):
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    return f"{error.message}: {error.why}" if error.why else error.message


def _unplaced(format: str, error: Exception) -> UnsupportedOpError:
    return UnsupportedOpError(
        f"{BACKENDS[format].title} cannot take this model",
        where="the whole graph: every beginning of it that was tried is taken",
        why=_gist(error),
        hint="return fewer or other tensors, or export with another `--format`",
    )


def beginning(program: Program, count: int) -> Program | None:
    """Return the first `count` calls as a program that outputs every value they do not read.

    Return None if it would have no input or no output.
    """
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
    """Yield the calls, and the inputs and constants that they read, in graph order."""
    for node in program.graph.nodes:
        if node in calls or (node.op != "call_function" and not calls.isdisjoint(node.users)):
            yield node


def _is_end(node: Node, calls: set[Node]) -> bool:
    """Return whether an artifact can return `node` and no call among `calls` reads it."""
    return _is_readable(node) and calls.isdisjoint(node.users)


def _is_readable(node: Node) -> bool:
    tensor = value(node)
    return isinstance(tensor, torch.Tensor) and tensor.dtype in READABLE
