"""The one place where ExecuTorch's Python is imported, and kept quiet."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

from edgevit.backends.session import load_library
from edgevit.support.silence import quiet as silence


def module(name: str) -> ModuleType:
    """A module of ExecuTorch, by its name within it. Its imports log of kernels that are not for this machine."""
    with silence("torch.utils._pytree"):
        load_library("executorch", "executorch")
        return import_module(f"executorch.{name}")


def versions() -> dict[str, str]:
    load_library("executorch", "executorch")
    return {"executorch": version("executorch")}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Lowering logs on the root logger and prints."""
    with silence(""), contextlib.redirect_stdout(io.StringIO()):
        yield
