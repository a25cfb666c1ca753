"""What a command answers and what merely gets printed meanwhile: models, compilers and native libraries print too."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

_reserved: TextIO | None = None


def answers() -> TextIO:
    """The stream that a command's answer goes to."""
    return _reserved or sys.stdout


@contextlib.contextmanager
def only_answers(wanted: bool = True) -> Iterator[None]:
    """Inside, stdout takes answers alone; whatever else is printed, by native code too, goes to stderr."""
    global _reserved
    if not wanted or _reserved is not None:
        yield
        return
    before = sys.stdout
    with _descriptor_reserved(before) as _reserved:
        sys.stdout = sys.stderr
        try:
            yield
        finally:
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                _reserved.flush()
            sys.stdout, _reserved = before, None


def give_up_stdout() -> None:
    """For the end of a process: what is still printed then, by exit handlers and C's buffers, goes to stderr."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        os.dup2(2, 1)
    sys.stdout = sys.stderr


@contextlib.contextmanager
def _descriptor_reserved(stream: TextIO) -> Iterator[TextIO]:
    """`stream` on a descriptor of its own, with 1 going to stderr; where `stream` is not on 1, itself."""
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
                printed.flush()  # what was printed past `sys.stdout` does not come after the answer
        os.dup2(saved, 1)
        os.close(saved)


def _is_on_one(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 1
    except (OSError, ValueError, AttributeError, io.UnsupportedOperation):
        return False
