"""Separation of a command's output from other prints: models, compilers and native libraries."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

_reserved: TextIO | None = None


def answers() -> TextIO:
    """Return the stream for a command's output."""
    return _reserved or sys.stdout


@contextlib.contextmanager
def only_answers(enabled: bool = True) -> Iterator[None]:
    """Reserve stdout for the command's output. Other prints, also of native code, go to stderr."""
    global _reserved
    if not enabled or _reserved is not None:
        yield
        return
    before = sys.stdout
    with _descriptor_reserved(before) as _reserved:
        sys.stdout = sys.stderr
        try:
            yield
        finally:
            with contextlib.suppress(OSError, ValueError):  # the reader is gone
                _reserved.flush()
            sys.stdout, _reserved = before, None


def give_up_stdout() -> None:
    """Redirect stdout to stderr at process end, for exit handlers and C's buffers."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        os.dup2(2, 1)
    sys.stdout = sys.stderr


@contextlib.contextmanager
def _descriptor_reserved(stream: TextIO) -> Iterator[TextIO]:
    """Yield `stream` on a new descriptor and redirect descriptor 1 to stderr.

    A stream that is not on descriptor 1 is yielded unchanged.
    """
    if not _is_on_one(stream):
        yield stream
        return
    stream.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield os.fdopen(os.dup(saved), "w", encoding=stream.encoding, errors=stream.errors)
    finally:
        for printed in (stream, sys.__stdout__):
            with contextlib.suppress(OSError, ValueError):
                assert printed is not None
                printed.flush()  # flush prints that bypassed `sys.stdout` before the answer
        os.dup2(saved, 1)
        os.close(saved)


def _is_on_one(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 1
    except (OSError, ValueError, AttributeError, io.UnsupportedOperation):
        return False
