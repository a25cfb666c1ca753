"""An artifact opened from disk in its real runtime, and how a runtime is found. Imports nothing heavy: a worker
process loads this and one runtime."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from edgevit.backends.registry import SESSIONS
from edgevit.errors import PackageError, ToolMissing

Arrays = Sequence[Any]  # numpy arrays, by position


@dataclass(frozen=True)
class TensorSpec:
    """A tensor as the artifact itself declares it."""

    name: str
    shape: tuple[int, ...]
    dtype: str  # "float32", as numpy calls it

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(map(str, self.shape)) or 'scalar'} {self.dtype}"


@dataclass(frozen=True)
class OpTime:
    """What one op of the artifact took in one run, as the runtime's own profiler says."""

    op: str
    place: str  # the op's name in the artifact, as far as the runtime tells
    unit: str  # what ran it: "xnnpack", "portable kernels", "CPUExecutionProvider"
    seconds: float


class Session(Protocol):
    """`run` may be called many times."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, arrays: Arrays) -> list[Any]: ...

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        """In the order they ran, each the mean over `repeats` runs."""
        ...


def load_library(name: str, extra: str) -> ModuleType:
    """A runtime's library, or the line that installs it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ToolMissing(
            f"{name.partition('.')[0]} is not installed",
            why=str(error),
            hint=f"pip install 'edgevit[{extra}]'",
        ) from error


def open_session(format: str, path: Path, threads: int) -> Session:
    """Raises `PackageError` for a file that is not a sound one of this format."""
    if not path.exists():
        raise PackageError(
            f"there is no {path.name}", where=str(path), why="no such file", hint="export it again"
        )
    return importlib.import_module(SESSIONS[format]).open_session(path, threads)
