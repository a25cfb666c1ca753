"""First load and run of an untrusted .pt2, in a process of its own.

Checked strings and restricted pickles (`pt2_archive`) keep code out. What is left are tensors and ATen calls, and those
can still crash torch's native code or take all memory: a sparse matrix whose indices point anywhere, a product of
10^6 x 10^6. That is found out where it costs nothing.
"""

from __future__ import annotations

from pathlib import Path

from edgevit.errors import ModelError
from edgevit.support.limited import Limits, WorkerEndedError, call_limited

_RUN = "edgevit.frontend.pt2_file:run_program"
_CPU_SECONDS = 40  # and one more for each megabyte of the file


def try_apart(path: Path, seed: int) -> None:
    """Return if the program loads and runs within the limits, else raise what it ended with."""
    size = path.stat().st_size
    limits = Limits(
        memory=(3 << 30) + 10 * size, cpu=_CPU_SECONDS + (size >> 20), seconds=120.0 + (size >> 20)
    )
    try:
        call_limited(_RUN, [str(path), seed], limits)
    except WorkerEndedError as error:
        raise ModelError(
            f"`{path}` does not load and run",
            where=str(path),
            why=str(error),
            hint="--trust, if you know who made the file: it is then run here, without limits",
        ) from error
