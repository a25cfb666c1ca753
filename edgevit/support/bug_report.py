"""Bug reports: a file with what is needed to reproduce an internal error."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
import traceback

from edgevit import __version__
from edgevit.errors import InternalError, redacted, report_it


def attach_report(error: InternalError) -> None:
    """Write the bug report of `error` to the temporary folder, and name it in the hint.

    An error that has a report, or a folder that is not writable, is left as it is.
    """
    if error.report:
        return
    try:
        handle, path = tempfile.mkstemp(prefix="edgevit-bug-", suffix=".txt", text=True)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(redacted(report_text(error)))
    except OSError:
        return
    error.hint = error.hint.replace(report_it(), report_it(path))
    error.report = path


def report_text(error: InternalError) -> str:
    """Return the text of a bug report: the error, the versions, the stack and the details."""
    system = f"edgevit {__version__}, Python {platform.python_version()}, {platform.platform()}"
    raised = error.__traceback__ or error.__cause__
    stack = traceback.format_exception(error) if raised else traceback.format_stack()
    sections = [str(error), shlex.join(sys.argv), system, "".join(stack), error.details]
    return "\n\n".join(section for section in sections if section) + "\n"
