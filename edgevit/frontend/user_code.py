"""Isolation of the user's code while it runs: our arguments are hidden, its exceptions are not our
bugs.
"""

from __future__ import annotations

import contextlib
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from edgevit.errors import ModelError
from edgevit.frontend.trial import first_line, place_of

_OURS = Path(__file__).parent.parent
_LIBRARIES = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))


@contextlib.contextmanager
def without_our_words(place: str) -> Iterator[None]:
    """Empty the command line within the context, for code that parses it while it is imported."""
    words = sys.argv
    sys.argv = [place]
    try:
        yield
    finally:
        sys.argv = words


def ends_the_command(error: BaseException) -> bool:
    """Check for an interrupt: it comes from the person, not from the code that it stops."""
    return isinstance(error, KeyboardInterrupt | GeneratorExit)


def blamed_on_user(error: BaseException) -> ModelError | None:
    """Build the error for an exception of the user's code; None where neither it nor what it called
    raised.
    """
    if isinstance(error, SystemExit):
        return ended_by_user(error)
    if not _is_users(error):
        return None
    return ModelError(
        "the model's code fails",
        where=place_of(error),
        why=said(error),
        hint="--debug shows the traceback",
    )


def ended_by_user(error: SystemExit) -> ModelError:
    return ModelError(
        "the model's code ended the program",
        where=place_of(error),
        why=said(error),
        hint="take the call out of what runs when the model is imported, built or run",
    )


def said(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called sys.exit({'' if error.code is None else repr(error.code)})"
    return first_line(error)


def _is_users(error: BaseException) -> bool:
    """Check that the deepest line outside all libraries is not ours."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_OURS):
            return False
        library = any(path.is_relative_to(root) for root in _LIBRARIES)
        if not library and "site-packages" not in path.parts and path.is_file():
            return True
    return False
