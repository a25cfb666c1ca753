"""Import of coremltools, with its output silenced."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from edgevit.errors import MissingToolError
from edgevit.support.silence import quiet as silence


def coremltools() -> Any:
    """Import coremltools, or raise `MissingToolError`.

    Its import warns at length about missing Mac-only parts, so it is silenced.
    """
    if "coremltools" not in sys.modules and find_spec("coremltools") is None:
        raise MissingToolError(
            "coremltools is not installed",
            why="it writes Core ML packages; Linux, Windows and macOS will do",
            hint="pip install 'edgevit[coreml]'",
        )
    return _imported()


@cache  # asked for at each node, and silence clears the caches of all loggers
def _imported() -> Any:
    with quiet():
        return import_module("coremltools")


def quiet() -> AbstractContextManager[None]:
    """Silence coremltools, whose progress bars have no argument to switch them off."""
    return silence("coremltools")
