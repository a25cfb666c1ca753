"""`--precision auto`: what was chosen and why, and on this machine's own targets the time beside floats."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from edgevit.backends import Artifact, Worker
from edgevit.errors import EdgevitError
from edgevit.export.clock import is_timed_here, timer
from edgevit.graph.program import Inputs
from edgevit.support.backend_info import AutomaticPrecision, info_of, is_integer
from edgevit.targets import Target

_ROUNDS = 7
Lower = Callable[[str, Path], Artifact]  # in floats, by precision and folder


def automatic_notes(
    chosen: AutomaticPrecision,
    artifact: Artifact,
    inputs: Inputs,
    target: Target,
    lower: Lower,
) -> Iterator[str]:
    """Say what `auto` is, and how its time compares with floats where this machine can tell."""
    yield (
        f"auto is {chosen.precision}: {chosen.why}"
        if chosen.precision != "auto"
        else f"auto: {chosen.why}"
    )
    if not is_integer(artifact.precision):
        return
    if not is_timed_here(artifact.format, target):
        yield "auto was not timed: the target is not this machine; `edgevit profile` compares it with fp32"
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            floats = lower(info_of(artifact.format).precisions[0], Path(folder))
            yield _compared(artifact, floats, inputs)
        except EdgevitError as error:
            yield f"auto was not timed: {error.message}"


def _compared(artifact: Artifact, floats: Artifact, inputs: Inputs) -> str:
    ratio = _ratio(artifact, floats, inputs)
    where = f"x{ratio:.2f} of the time in {floats.precision} on this machine"
    if ratio <= 1:
        return f"auto takes {where}"
    return f"auto is slower here: {where}; --precision {floats.precision} is the faster one"


def _ratio(artifact: Artifact, other: Artifact, inputs: Inputs) -> float:
    """Return the median over rounds of one artifact's time over the other's, by turns."""
    with Worker(artifact.format) as mine, Worker(other.format) as theirs:
        seconds = [
            timer(worker, one, inputs) for worker, one in ((mine, artifact), (theirs, other))
        ]
        rounds = [tuple(take() for take in seconds) for _ in range(_ROUNDS)]
    return statistics.median(a / b for a, b in rounds)
