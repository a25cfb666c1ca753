"""Session of an artifact opened from disk in its real runtime, and the lookup of a runtime.

This module imports nothing heavy, as a worker process loads only it and one runtime.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from edgevit.errors import MissingToolError, PackageError
from edgevit.plugins import load
from edgevit.support.backend_info import info_of

EAGER_SESSION = "edgevit.exported.eager_session:open_session"  # the model itself, for comparison
REMOTE_MAIN = Path(__file__).with_name("remote_main.py")  # runs an artifact on another machine
Arrays = Sequence[Any]  # numpy arrays, by position


@dataclass(frozen=True)
class TensorSpec:
    """Tensor as the artifact itself declares it."""

    name: str
    shape: tuple[int, ...]
    dtype: str  # "float32", as numpy calls it

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(map(str, self.shape)) or 'scalar'} {self.dtype}"


@dataclass(frozen=True)
class OpTime:
    """Time of one op of the artifact in one run, as reported by the runtime's own profiler."""

    op: str
    place: str  # the op's name in the artifact, as far as the runtime reports it
    unit: str  # what ran it: "xnnpack", "portable kernels", "CPUExecutionProvider"
    seconds: float


class Session(Protocol):
    """Session of an opened artifact; `run` may be called many times."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, arrays: Arrays) -> list[Any]: ...

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        """Return the time of each op in execution order, as the mean over `repeats` runs."""
        ...


def seconds_of_runs(session: Session, arrays: Arrays, repeats: int) -> list[float]:
    """Return the time of each run, by this process's clock."""
    times: list[float] = []
    for _ in range(repeats):
        started = time.perf_counter()
        session.run(arrays)
        times.append(time.perf_counter() - started)
    return times


def load_library(name: str, extra: str) -> ModuleType:
    """Import a runtime's library, or raise `MissingToolError` with the line that installs it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"{name.partition('.')[0]} is not installed",
            why=str(error),
            hint=f"pip install 'edgevit[{extra}]'",
        ) from error


def open_session(format: str, path: Path, threads: int) -> Session:
    """Open the artifact in the runtime of its format.

    Raise `PackageError` for a file that is not a sound one of this format.
    """
    if not path.exists():
        raise PackageError(
            f"there is no {path.name}", where=str(path), why="no such file", hint="export it again"
        )
    place = EAGER_SESSION if format == "eager" else info_of(format).session
    if place is None:
        raise PackageError(
            f"a {format} artifact does not run on this machine",
            where=str(path),
            why="there is no runtime for it here",
            hint="edgevit profile --help lists where it does",
        )
    return load(place, "edgevit.backends")(path, threads)
