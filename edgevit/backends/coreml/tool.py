"""Import of coremltools, with its output silenced."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from edgevit.errors import MissingToolError
from edgevit.support.silence import quiet as silence

# Packages that coremltools imports where they are installed, and its converters never use: half of its import's time.
_UNUSED = ("executorch", "transformers")


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
    with quiet(), _hidden(_UNUSED):
        return import_module("coremltools")


@contextmanager
def _hidden(packages: tuple[str, ...]) -> Iterator[None]:
    """Let an import of the packages fail."""
    earlier = {name: sys.modules[name] for name in packages if name in sys.modules}
    for name in packages:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's mark of what is not installed
    try:
        yield
    finally:
        for name in packages:
            del sys.modules[name]
        sys.modules.update(earlier)


def quiet() -> AbstractContextManager[None]:
    """Silence coremltools, whose progress bars have no argument to switch them off."""
    return silence("coremltools")
