"""Result of a bisection, as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.backends import LIMITS
from edgevit.bisect.apart import Apart
from edgevit.bisect.search import Culprit
from edgevit.graph.aten import op
from edgevit.graph.program import origin, value
from edgevit.graph.text import type_text
from edgevit.support.notebook import Row, Shown

_SHOWN = 8  # calls of a longer run


@dataclass(frozen=True)
class Cause:
    """Why an artifact departs.

    `kind`: "capture", "rule" (`name` is the rule), "call" (`culprit` has it), "artifact" (the same export, written
    again, agrees) or "precision" (PyTorch in float16 is not the model either).
    """

    kind: str
    name: str = ""
    culprit: Culprit | None = None


@dataclass(frozen=True, repr=False)
class Bisection(Shown):
    """Result of `edgevit.bisect`. `passed`: the artifact agrees with the model on these inputs."""

    directory: Path
    artifact: Path
    precision: str
    inputs: str  # name of the inputs on which it is the farthest, or the first on which it departs
    output: str  # name of the output
    apart: Apart
    departure: Cause | None = None
    files: Path | None = None  # folder with the minimal net

    @property
    def passed(self) -> bool:
        return self.departure is None

    def as_dict(self) -> dict[str, Any]:
        culprit = self.departure.culprit if self.departure else None
        return {
            "directory": str(self.directory),
            "artifact": self.artifact.name,
            "precision": self.precision,
            "passed": self.passed,
            "inputs": self.inputs,
            "output": self.output,
            "apart": _apart_dict(self.apart),
            "limit": str(LIMITS[self.precision]),
            "cause": self.departure.kind if self.departure else None,
            "rule": (self.departure.name or None) if self.departure else None,
            "alone": _culprit_dict(culprit) if culprit else None,
            "files": str(self.files) if self.files else None,
        }

    def _title(self) -> str:
        return str(self.artifact)

    def _rows(self) -> Iterator[Row]:
        said = "departs" if self.departure else "agrees"
        yield "result", f"{said}: {apart_text(self.apart)} in `{self.output}` on {self.inputs}; the limit is {LIMITS[self.precision]}"  # fmt: skip
        if self.departure is None:
            if not LIMITS[self.precision].holds(self.apart.distance):
                yield "", "beyond the limit, and no departure: PyTorch's own rounding is as large"
            return
        yield from _CAUSES[self.departure.kind](self.departure)
        if self.files:
            yield "files", f"{self.files}: issue.md, net.py and what they need"

    def __str__(self) -> str:
        return "\n".join(
            [str(self.artifact), *(f"  {name:<10} {text}" for name, text in self._rows())]
        )


def apart_text(apart: Apart) -> str:
    text = f"relative L2 {apart.distance.rel_l2:.2e}"
    if apart.rounding is None or math.isnan(apart.rounding):
        return text
    return f"{text} (PyTorch's own rounding: {apart.rounding:.1e})"


def _of_capture(departure: Cause) -> Iterator[Row]:
    yield (
        "cause",
        "the captured graph, before any rewrite, departs from the model: a bug of edgevit's capture",
    )


def _of_rule(departure: Cause) -> Iterator[Row]:
    yield "cause", f"rule `{departure.name}`: the graph departs from the model after it. --without {departure.name} leaves it out"  # fmt: skip


def _of_artifact(departure: Cause) -> Iterator[Row]:
    yield (
        "cause",
        "the artifact alone: written again by the same export, it agrees. Other versions wrote it",
    )


def _of_precision(departure: Cause) -> Iterator[Row]:
    yield (
        "cause",
        "float16: PyTorch in float16 is not the model either. --precision fp32 keeps more",
    )


def _of_call(departure: Cause) -> Iterator[Row]:
    culprit = departure.culprit
    assert culprit is not None
    calls = list(culprit.program.calls())
    named = named_call(culprit)
    yield "call", f"{call_text(named)}"
    yield "where", str(origin(named))
    if len(calls) > 1:
        yield "alone", f"{len(calls)} calls together depart: {', '.join(op(n) for n in calls[:_SHOWN])}{', ...' if len(calls) > _SHOWN else ''}"  # fmt: skip
    else:
        yield "alone", "the call by itself departs"
    yield "", f"from what PyTorch computes before: {apart_text(culprit.apart)}"
    if culprit.hidden:
        yield (
            "",
            "the departure is gone where the values between these calls are outputs: the runtime computes them as one",
        )
    for one in culprit.values:
        yield "value", f"{one.name}: {apart_text(one.apart)}"
    yield "numbers", str(largest_difference(culprit))


_CAUSES = {
    "capture": _of_capture,
    "rule": _of_rule,
    "artifact": _of_artifact,
    "call": _of_call,
    "precision": _of_precision,
}


def named_call(culprit: Culprit) -> Node:
    """Return the first call whose value departs, else the last of the run."""
    calls = list(culprit.program.calls())
    within = [node for node in calls if node.name == culprit.within]
    return (within or calls)[-1]


def call_text(node: Node) -> str:
    inputs = ", ".join(type_text(value(source)) for source in node.all_input_nodes)
    return f"{op(node)} `{node.name}` ({inputs} -> {type_text(value(node))})"


@dataclass(frozen=True)
class Numbers:
    """The element of an output where an artifact is the farthest from PyTorch."""

    place: tuple[int, ...]
    float32: float
    float64: float
    artifact: float

    def __str__(self) -> str:
        return f"at {list(self.place)}: {self.artifact:.9g} in the artifact, {self.float32:.9g} in PyTorch, {self.float64:.9g} in float64"  # fmt: skip


def largest_difference(culprit: Culprit) -> Numbers:
    program, k = culprit.program, culprit.apart.output
    expected, actual = program.run(program.inputs)[k].double(), culprit.actual[k].double()
    exact = program.in_float64().run()[k].double()
    apart = (expected - actual).abs().nan_to_num(math.inf, math.inf)
    flat = int(apart.flatten().argmax())
    place = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), apart.shape))
    return Numbers(
        place,
        float(expected.flatten()[flat]),
        float(exact.flatten()[flat]),
        float(actual.flatten()[flat]),
    )


def _apart_dict(apart: Apart) -> dict[str, float | None]:
    distance = apart.distance
    figures = {
        "rel_l2": distance.rel_l2,
        "cosine": distance.cosine,
        "max_abs": distance.max_abs,
        "rounding": apart.rounding,
    }
    return {k: v if v is not None and math.isfinite(v) else None for k, v in figures.items()}


def _culprit_dict(culprit: Culprit) -> dict[str, Any]:
    named = named_call(culprit)
    numbers = largest_difference(culprit)
    return {
        "call": named.name,
        "op": op(named),
        "module": origin(named).module,
        "source": origin(named).source,
        "calls": [{"call": node.name, "op": op(node)} for node in culprit.program.calls()],
        "apart": _apart_dict(culprit.apart),
        "hidden": culprit.hidden,
        "values": [{"value": one.name, **_apart_dict(one.apart)} for one in culprit.values],
        "numbers": {
            "place": list(numbers.place),
            **{
                k: v if math.isfinite(v) else None
                for k, v in (
                    ("artifact", numbers.artifact),
                    ("float32", numbers.float32),
                    ("float64", numbers.float64),
                )
            },
        },
    }
