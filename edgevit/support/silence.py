"""Silence warnings, logging and progress bars of third-party libraries."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet(library: str) -> Iterator[None]:
    """Suppress all warnings, the library's log lines below CRITICAL, and `sys.stderr`.

    Libraries print progress bars and whole graphs to stderr. torch logs what they register with it.
    """
    loggers = [logging.getLogger(name) for name in (library, "torch.utils._pytree")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
