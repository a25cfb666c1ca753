"""The one place where coremltools is imported, and kept quiet."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from edgevit.errors import ToolMissing


def coremltools() -> Any:
    """The library. Its import tells at length which of its Mac-only parts are not there."""
    if "coremltools" not in sys.modules and find_spec("coremltools") is None:
        raise ToolMissing(
            "coremltools is not installed",
            why="it writes Core ML packages; Linux, Windows and macOS will do",
            hint="pip install 'edgevit[coreml]'",
        )
    with quiet():
        return import_module("coremltools")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No log lines, no warnings, and no progress bars: those go to `sys.stderr` and cannot be switched off by argument."""
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
