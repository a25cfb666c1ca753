"""How a command that failed says so, and its exit code."""

from __future__ import annotations

import json
import signal
import sys

from edgevit.errors import (
    BackendRuntimeError,
    EdgevitError,
    InternalError,
    MissingToolError,
    report_it,
)
from edgevit.support.bug_report import attach_report
from edgevit.support.terminal import show


def of_ours(error: Exception) -> EdgevitError:
    """Return what an exception of another kind means: a broken installation or a bug of ours."""
    if isinstance(error, ModuleNotFoundError) and not (error.name or "edgevit").startswith(
        "edgevit"
    ):
        meant: EdgevitError = MissingToolError(
            f"{error.name} is not installed",
            where=sys.prefix,
            why="edgevit depends on it, and was installed without its dependencies",
            hint="pip install edgevit, without --no-deps",
        )
    else:
        meant = InternalError(
            "something in edgevit broke",
            why=f"{type(error).__name__}: {error}",
            hint="see where with --debug",
        )
    meant.__cause__ = error
    return meant


def fail(error: EdgevitError, as_json: bool) -> int:
    if isinstance(error, InternalError):
        attach_report(error)
    if as_json:
        show(json.dumps(error.as_dict()))
    show(error, file=sys.stderr)
    return error.exit_code


def died(number: int) -> int:
    """Report a worker process ended by signal `number`, and return the exit code."""
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    memory = ", which is how a system out of memory ends it" if name == "SIGKILL" else ""
    error = BackendRuntimeError(
        "the command died",
        where=" ".join(["edgevit", *sys.argv[1:3]]),
        why=f"its process was ended by {name}{memory}",
        hint="a damaged file, a converter or a lack of memory can do that; "
        f"if it dies again, {report_it()}",
    )
    return fail(error, "--json" in sys.argv)
