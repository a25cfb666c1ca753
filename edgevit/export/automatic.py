"""`--precision auto`: what was chosen and why, and on this machine's own targets the time beside floats.

A format whose integers are slower than floats on some nets is written in floats there.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgevit.backends import Artifact, Worker
from edgevit.errors import EdgevitError
from edgevit.export.clock import is_timed_here, timer
from edgevit.graph.program import Inputs
from edgevit.support.backend_info import AutomaticPrecision, info_of, is_integer
from edgevit.targets import Target

_ROUNDS = 7
Lower = Callable[[str, Path], Artifact]  # in floats, by precision and folder


@dataclass(frozen=True)
class FloatComparison:
    """What `auto` is, and how its time compares with floats."""

    notes: tuple[str, ...]
    instead: AutomaticPrecision | None = None  # floats, which the file is to be written in


def compare_with_floats(
    chosen: AutomaticPrecision,
    artifact: Artifact,
    inputs: Inputs,
    target: Target,
    lower: Lower,
) -> FloatComparison:
    """Say what `auto` is, and time it beside floats where this machine can tell."""
    named = f" is {chosen.precision}" if chosen.precision != "auto" else ""
    reason = f"auto{named}: {chosen.why}"
    if not is_integer(artifact.precision):
        return FloatComparison((reason,))
    if not is_timed_here(artifact.format, target):
        return FloatComparison((
            reason,
            "auto was not timed: the target is not this machine; `edgevit profile` compares it with fp32",
        ))  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        try:
            floats = lower(info_of(artifact.format).precisions[0], Path(folder))
            ratio = _ratio(artifact, floats, inputs)
        except EdgevitError as error:
            return FloatComparison((reason, f"auto was not timed: {error.message}"))
    return _compared(reason, chosen, floats.precision, ratio)


def _compared(
    reason: str, chosen: AutomaticPrecision, floats: str, ratio: float
) -> FloatComparison:
    where = f"x{ratio:.2f} of the time in {floats} on this machine"
    if ratio > chosen.slowest:
        why = (
            f"{chosen.precision} takes {where}; --precision {chosen.precision} is the smaller file"
        )
        return FloatComparison((), AutomaticPrecision(floats, why))
    if ratio <= 1:
        return FloatComparison((reason, f"auto takes {where}"))
    told = f"auto is slower here: {where}; --precision {floats} is the faster one"
    return FloatComparison((reason, told))


def _ratio(artifact: Artifact, other: Artifact, inputs: Inputs) -> float:
    """Return the median over rounds of one artifact's time over the other's, by turns."""
    with Worker(artifact.format) as mine, Worker(other.format) as theirs:
        seconds = [
            timer(worker, one, inputs) for worker, one in ((mine, artifact), (theirs, other))
        ]
        rounds = [tuple(take() for take in seconds) for _ in range(_ROUNDS)]
    return statistics.median(a / b for a, b in rounds)
