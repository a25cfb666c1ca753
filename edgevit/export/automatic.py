"""`--precision auto`: what was chosen and why, and on this machine's own targets the time beside floats.

A format whose integers are slower than floats on some nets is written in floats there.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
    info = info_of(artifact.format)
    in_floats = next((one for one in info.precisions if not is_integer(one)), None)
    if in_floats is None:
        return FloatComparison((reason,))
    if not is_timed_here(artifact.format, target):
        return FloatComparison((reason, _unknown(in_floats, "the target is not this machine")))
    with tempfile.TemporaryDirectory() as folder:
        try:
            floats = lower(in_floats, Path(folder))
            times = _times(artifact, floats, inputs)
        except EdgevitError as error:
            return FloatComparison((reason, _unknown(in_floats, error.message)))
    return _compared(reason, chosen, in_floats, times, info.title)


def _unknown(floats: str, why: str) -> str:
    return (
        f"whether auto is faster than {floats} is not known: {why}; "
        "`edgevit profile` on the device compares them"
    )


class Times(NamedTuple):
    """Seconds of one run of a file and of that in floats, and the median over rounds of their ratio."""

    own: float
    floats: float
    ratio: float


def _compared(
    reason: str, chosen: AutomaticPrecision, floats: str, times: Times, runtime: str
) -> FloatComparison:
    where = (
        f"{1000 * times.own:.3g} ms, x{times.ratio:.2f} of the {1000 * times.floats:.3g} ms "
        f"in {floats}, by {runtime} on this machine"
    )
    if times.ratio > chosen.slowest:
        why = (
            f"{chosen.precision} takes {where}; --precision {chosen.precision} is the smaller file"
        )
        return FloatComparison((), AutomaticPrecision(floats, why))
    if times.ratio <= 1:
        return FloatComparison((reason, f"auto takes {where}"))
    told = f"auto is slower here: {where}; --precision {floats} is the faster one"
    return FloatComparison((reason, told))


def _times(artifact: Artifact, other: Artifact, inputs: Inputs) -> Times:
    """Time both artifacts by turns."""
    with Worker(artifact.format) as mine, Worker(other.format) as theirs:
        seconds = [
            timer(worker, one, inputs) for worker, one in ((mine, artifact), (theirs, other))
        ]
        rounds = [tuple(take() for take in seconds) for _ in range(_ROUNDS)]
    own, floats = (min(column) for column in zip(*rounds, strict=True))
    return Times(own, floats, statistics.median(a / b for a, b in rounds))
