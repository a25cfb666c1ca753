"""Time of a file on this machine, by the runtime's own worker."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from edgevit.backends import Artifact, Worker, fitted
from edgevit.errors import UsageError
from edgevit.graph.program import Inputs, Program
from edgevit.quantize import Clock
from edgevit.support.backend_info import info_of
from edgevit.support.host import has_isa
from edgevit.targets import Target

RUNS = 4
_ROUNDS = 7
Lower = Callable[[Program, Path], Artifact]


def clock(lower: Lower, inputs: Inputs) -> Clock:
    """Return what lowers a simulation, and times the file."""

    def milliseconds(simulation: Program) -> float:
        with tempfile.TemporaryDirectory() as folder:
            artifact = lower(simulation, Path(folder))
            with Worker(artifact.format) as worker:
                take = timer(worker, artifact, inputs)
                return 1000 * min(take() for _ in range(_ROUNDS))

    return milliseconds


def timer(worker: Worker, artifact: Artifact, inputs: Inputs) -> Callable[[], float]:
    """Open an artifact, and return what times it: the least of a few runs, in seconds."""
    worker.open(artifact.path)
    arrays = fitted(worker.inputs, [tensor.numpy() for tensor in inputs], str(artifact.path))
    return lambda: min(worker.seconds(arrays, 1 + RUNS)[1:])


def is_timed_here(format: str, target: Target) -> bool:
    return info_of(format).runs_here and has_isa(target.isa)


def require_timed_here(format: str, target: Target) -> None:
    """Refuse a budget of time where this machine does not run the file as the target does."""
    if not is_timed_here(format, target):
        raise UsageError(
            f"{format} for {target.title} is not timed on this machine",
            where="--mixed-budget",
            why="files are timed while bits are chosen, on a processor of the target's kind",
            hint="--mixed-budget macs=10% or size=2MB, then `edgevit profile` on the device",
        )
