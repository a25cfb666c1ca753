"""Search for the shortest run of calls at which an artifact departs from its program.

    the shortest beginning that departs        x -> a -> b -> c                ends with the call to name
    its shortest end that still does                     b' -> c               from what PyTorch computes at b

A window has no outputs but its ends, so that a runtime fuses what it fuses in the whole net.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from edgevit.backends import Artifact, Backend, Lowering, run_here
from edgevit.bisect.apart import Apart, compare, compare_each
from edgevit.bisect.window import Calls, readable_values, with_values
from edgevit.graph.program import Program
from edgevit.support.progress import Stages

_LONGEST = 1200.0  # seconds to search; after them the run of calls is what it is by then
_MOST_VALUES = 12  # that are read at once, of a longer run of calls


@dataclass(frozen=True)
class Writer:
    """Writes programs in one format and precision, and runs what it has written."""

    backend: Backend
    lowering: Lowering
    precision: str

    def run(self, program: Program, folder: Path | None = None) -> tuple[torch.Tensor, ...]:
        if folder is None:
            with tempfile.TemporaryDirectory() as temporary:
                return self.run(program, Path(temporary))
        return run_here(self.write(program, folder))(program.inputs)

    def write(self, program: Program, folder: Path) -> Artifact:
        source = replace(self.lowering.source, preprocess=None, labels=())
        return self.backend.lower(
            replace(
                self.lowering,
                program=program,
                source=source,
                precision=self.precision,
                directory=folder,
                progress=lambda _: None,
                image_input=False,
            )
        )

    def apart(self, program: Program) -> Apart:
        """Write a program, run it and compare it with PyTorch."""
        return compare(program, self.run(program), self.precision)


@dataclass(frozen=True)
class ValueApart:
    """Distance of one value within a run of calls, where it is an output."""

    name: str
    apart: Apart


@dataclass(frozen=True)
class Culprit:
    """Shortest run of calls that departs by itself, from what PyTorch computes before it."""

    program: Program
    apart: Apart
    actual: tuple[torch.Tensor, ...]
    values: tuple[ValueApart, ...]  # of its calls, read together
    within: str  # the first of these that departs; empty: none does where all are outputs

    @property
    def hidden(self) -> bool:
        """Whether the departure is gone where the values between are outputs."""
        return bool(self.values) and not self.within


def find_culprit(writer: Writer, calls: Calls, stages: Stages) -> Culprit:
    """Return the shortest run of calls that departs by itself, of a program that does as a whole."""
    ends = time.monotonic() + _LONGEST

    def departs(first: int, last: int) -> bool | None:
        part = calls.window(first, last)
        if part is None or time.monotonic() > ends:
            return None
        stages.note(f"calls {first + 1} to {last} of {len(calls.nodes)}")
        try:
            return writer.apart(part).departs
        except Exception:  # a converter or a runtime may not take a part of what it takes whole
            return None

    places = calls.places
    last = _least(places, lambda place: departs(0, place))
    before = [place for place in reversed(places) if place < last]
    first = _least([last, *before], lambda place: departs(place, last))
    part = calls.window(first, last) or calls.program
    actual = writer.run(part)
    apart = compare(part, actual, writer.precision)
    return _with_values(writer, Culprit(part, apart, actual, (), ""))


def _with_values(writer: Writer, culprit: Culprit) -> Culprit:
    """Add the values within a run of several calls, read as outputs, and name the first that departs."""
    names = readable_values(culprit.program)
    shown: tuple[ValueApart, ...] = ()
    within = ""
    while len(names) > 1:
        step = -(-len(names) // _MOST_VALUES)
        chosen = names[::-1][::step][::-1]  # the last is among them
        part = with_values(culprit.program, chosen)
        try:
            apart = compare_each(part, writer.run(part), writer.precision)
        except Exception:
            break
        values = tuple(map(ValueApart, chosen, apart))
        shown = shown or values
        within = next((value.name for value in values if value.apart.departs), "")
        if not within or step == 1:
            break
        names = names[: names.index(within) + 1][-step:]
    return replace(culprit, values=shown, within=within)


def _least(places: Sequence[int], departs: Callable[[int], bool | None]) -> int:
    """Return the nearest place that departs. The last one is known to, and the first not to.

    A place that tells nothing is passed over for the one beside it.
    """
    good, bad = 0, len(places) - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        inner = sorted(range(good + 1, bad), key=lambda k: abs(k - middle))
        for place in inner[:5]:
            verdict = departs(places[place])
            if verdict is not None:
                good, bad = (good, place) if verdict else (place, bad)
                break
        else:
            break
    return places[bad]
