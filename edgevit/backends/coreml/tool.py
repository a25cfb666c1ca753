"""The one place where coremltools is imported, and kept quiet."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from edgevit.errors import ToolMissing
from edgevit.support.silence import quiet as silence


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


def quiet() -> AbstractContextManager[None]:
    """coremltools' progress bars cannot be switched off by argument."""
    return silence("coremltools")
