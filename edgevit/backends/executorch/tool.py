"""Import of ExecuTorch's Python, with its output silenced."""

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
    """Import a module of ExecuTorch by its name within the package.

    Its imports log kernels that are not for this machine, so they are silenced.
    """
    with silence("torch.utils._pytree"):
        load_library("executorch", "executorch")
        return import_module(f"executorch.{name}")


def versions() -> dict[str, str]:
    load_library("executorch", "executorch")
    return {"executorch": version("executorch")}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the lowering, which logs on the root logger and prints."""
    with silence(""), contextlib.redirect_stdout(io.StringIO()):
        yield
