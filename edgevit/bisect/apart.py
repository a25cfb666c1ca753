"""Distance of an artifact from the program that it was written from, beside PyTorch's own rounding.

A net may compute what no float32 keeps: a difference of two numbers that are nearly equal, or a softmax over large ones.
An artifact as far from PyTorch's float32 as that is from float64 does not depart from the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from edgevit.backends import LIMITS, own_rounding
from edgevit.graph.parity import SAME, Distance, distance
from edgevit.graph.program import Program
from edgevit.graph.ranking import compared, rankings_of


@dataclass(frozen=True)
class Apart:
    """Distance of one output, or the worst one's. `rounding`: relative L2 of PyTorch's own, where it was looked at."""

    output: int
    distance: Distance
    departs: bool
    rounding: float | None = None


def compare(
    program: Program,
    actual: Sequence[torch.Tensor],
    precision: str,
    expected: Sequence[torch.Tensor] | None = None,
) -> Apart:
    """Compare an artifact's outputs with the program's on its inputs, and return the worst one.

    `expected`: those of the model that the program computes; None: the program's own.
    """
    expected = program.run(program.inputs) if expected is None else expected
    limit = LIMITS[precision]
    apart = [_of_output(a, b) for a, b in zip(expected, actual, strict=True)]
    far = [k for k, one in enumerate(apart) if not limit.holds(one)]
    if far:
        rankings = rankings_of(program, program.inputs)
        if limit.holds(compared(expected, actual, rankings, limit)[0]):
            far = []  # rows of equal scores, in another order
    if not far:
        worst = max(range(len(apart)), key=lambda k: apart[k].rel_l2)
        return Apart(worst, apart[worst], False)
    own = own_rounding(program, program.inputs, precision, limit)
    judged = [Apart(k, apart[k], not own.explains(k, apart[k]), own.of(k)) for k in far]
    return max(judged, key=lambda one: (one.departs, _size(one.distance)))


def compare_each(program: Program, actual: Sequence[torch.Tensor], precision: str) -> list[Apart]:
    """Compare every output with the program's, and with PyTorch's own rounding."""
    expected, limit = program.run(program.inputs), LIMITS[precision]
    own = own_rounding(program, program.inputs, precision, limit)
    rows: list[Apart] = []
    for k, (one, other) in enumerate(zip(expected, actual, strict=True)):
        apart = _of_output(one, other)
        departs = not limit.holds(apart) and not own.explains(k, apart)
        rows.append(Apart(k, apart, departs, own.of(k)))
    return rows


def _size(distance: Distance) -> float:
    return math.inf if math.isnan(distance.rel_l2) else distance.rel_l2


def _of_output(expected: torch.Tensor, actual: torch.Tensor) -> Distance:
    """Return the distance; infinities and NaN in the same places are the same."""
    same = expected.shape == actual.shape and torch.equal(
        expected.nan_to_num(), actual.to(expected.dtype).nan_to_num()
    )
    return SAME if same else distance((expected,), (actual,))
