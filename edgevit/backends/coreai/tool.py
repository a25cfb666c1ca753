"""Import of Core AI's Python packages, with their output silenced."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from importlib.metadata import version
from types import ModuleType

from edgevit.backends.session import load_library
from edgevit.errors import MissingToolError
from edgevit.support.silence import quiet as silence


def module(name: str) -> ModuleType:
    """Import a module of `coreai` or `coreai_torch`, or raise `MissingToolError`.

    The wheel needs a newer C library than some Linux systems have.
    """
    with quiet():
        try:
            return load_library(name, "coreai")
        except ImportError as error:
            raise MissingToolError(
                "Apple's Core AI package does not load on this machine",
                why=str(error).strip().partition("\n")[0][:400],
                hint="it needs macOS, or Linux with glibc 2.34 and later; elsewhere --format coreml",
            ) from error


def versions() -> dict[str, str]:
    module("coreai")
    module("coreai_torch")
    return {name: version(name) for name in ("coreai-core", "coreai-torch")}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the converter, which prints its progress."""
    with silence("coreai"), contextlib.redirect_stdout(io.StringIO()):
        yield
