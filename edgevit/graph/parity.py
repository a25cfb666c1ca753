"""Parity: the difference between the outputs of a stage and the model's, and the limit on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch

from edgevit.graph.tensors import norm as length


@dataclass(frozen=True)
class Distance:
    max_abs: float
    rel_l2: float
    cosine: float
    top1_agree: float  # share of rows (all axes but the class axis) whose largest entry is in the same place


@dataclass(frozen=True)
class Limit:
    """Limit on the parity of each output of a stage.

    A cosine alone is no limit: it ignores a factor, and for two numbers it carries no information.
    A relative L2 bounds the cosine too.
    """

    max_rel_l2: float
    min_cosine: float = -1.0

    def holds(self, distance: Distance) -> bool:
        """Check a distance against the limit. A NaN fails, also where there is no bound."""
        is_number = not any(map(math.isnan, astuple(distance)))
        near = distance.rel_l2 <= self.max_rel_l2 and distance.cosine >= self.min_cosine
        return is_number and near

    def __str__(self) -> str:
        bounds = [f"relative L2 <= {self.max_rel_l2:.3g}"]
        bounds += [f"cosine >= {self.min_cosine:g}"] if self.min_cosine > -1 else []
        return " and ".join(bounds)


def angle_limit(cosine: float) -> Limit:
    """Return the limit for a cosine c.

    Its relative L2 is sqrt(2 - 2c) where the lengths are equal, and half as much again where they
    are not.
    """
    return Limit(1.5 * math.sqrt(2 - 2 * cosine), cosine)


@dataclass(frozen=True)
class Ranking:
    """Scores that put the rows of some outputs in order, as boxes by their confidence.

    Each output of `outputs` has its rows along the scores' last axis.
    """

    scores: torch.Tensor
    outputs: tuple[int, ...]
    equal: float = 0.0  # the most by which scores count as equal; 0: as the limit says


FP32 = Limit(max_rel_l2=1e-4)
FP16 = angle_limit(0.999)


@dataclass(frozen=True)
class Parity:
    """Verdict of one stage.

    `unchecked` names what could not be run: then the parity is unknown and the stage fails.
    """

    stage: str  # "rewritten", "package"
    precision: str  # "fp32", "fp16"
    distance: Distance
    limit: Limit
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # overflow, subnormals, the first op that departs
    inputs: tuple[str, ...] = ()  # other than the example's: "scaled by 0.1", "bright"

    @property
    def passed(self) -> bool:
        return not self.unchecked and self.limit.holds(self.distance)

    def as_dict(self) -> dict[str, object]:
        d = self.distance
        return {
            "stage": self.stage,
            "precision": self.precision,
            "max_abs": _number(d.max_abs),
            "rel_l2": _number(d.rel_l2),
            "cosine": _number(d.cosine),
            "top1_agree": _number(d.top1_agree),
            "limit": str(self.limit),
            "passed": self.passed,
            "unchecked": list(self.unchecked),
            "notes": list(self.notes),
            "inputs": list(self.inputs),
        }


def _number(x: float) -> float | None:
    """Return `x`, or None for infinity and NaN, which JSON lacks: null passes no bound."""
    return x if math.isfinite(x) else None


RUNTIME = "runtime"  # of the artifact itself, here; behind it the name of one of several
TWIN = "host build"  # checked where the artifact is for another machine
SAME = Distance(0.0, 0.0, 1.0, 1.0)
UNKNOWN = Distance(math.inf, math.inf, -1.0, 0.0)


def is_run(stage: str) -> bool:
    """Check for a stage in which the artifact itself ran on this machine."""
    return stage.partition(" ")[0] == RUNTIME


def distance(expected: Sequence[torch.Tensor], actual: Sequence[torch.Tensor]) -> Distance:
    """Return the worst distance over all outputs.

    A NaN anywhere is infinitely far, and so is an infinity on one side only. If no expected value
    is finite, the distance is unknown.
    """
    pairs = [_pair(a, b) for a, b in zip(expected, actual, strict=True)]
    if not any(tensor.isfinite().any() for tensor in expected):
        return UNKNOWN
    return Distance(
        max(p.max_abs for p in pairs),
        max(p.rel_l2 for p in pairs),
        min(p.cosine for p in pairs),
        min(p.top1_agree for p in pairs),
    )


def _pair(expected: torch.Tensor, actual: torch.Tensor) -> Distance:
    if expected.shape != actual.shape:
        return UNKNOWN
    a, b = real_numbers(expected), real_numbers(actual)
    finite = a.isfinite()
    if a.isnan().any() or b.isnan().any() or not torch.equal(finite, b.isfinite()):
        return UNKNOWN
    if not torch.equal(a[~finite], b[~finite]):  # infinities of the same sign
        return UNKNOWN
    x, y = a[finite], b[finite]
    if x.numel() == 0:
        return SAME
    moved, norm = length(x - y), length(x)
    if not math.isfinite(moved) or not math.isfinite(norm):  # of numbers near the largest
        return UNKNOWN
    return Distance(
        max_abs=(x - y).abs().max().item(),
        rel_l2=moved / norm if norm else (math.inf if moved else 0.0),
        cosine=_cosine(x, y),
        top1_agree=_top1(a, b),
    )


def real_numbers(x: torch.Tensor) -> torch.Tensor:
    """Convert to float64, a complex number to its real and imaginary parts."""
    x = torch.view_as_real(x.resolve_conj()) if x.is_complex() else x
    return x.detach().double()


def _cosine(x: torch.Tensor, y: torch.Tensor) -> float:
    long, other = length(x), length(y)
    if not long or not other:
        return 1.0 if long == other else 0.0
    return min(1.0, torch.dot(x / long, y / other).item())


def _top1(a: torch.Tensor, b: torch.Tensor) -> float:
    """Return the share of equal top-1 classes.

    Classes are on the last axis of a 2-D or 3-D output and on axis 1 of a 4-D one (a dense
    prediction).

    They are on the last axis of a 2-D or 3-D output and on axis 1 of a 4-D one (a dense
    prediction).
    """
    if a.ndim == 0:
        return 1.0
    axis = 1 if a.ndim == 4 else -1
    return (a.argmax(axis) == b.argmax(axis)).double().mean().item()
