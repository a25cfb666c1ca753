"""PyTorch's own rounding: how far the model's numbers are from those without one.

In float32 it is the distance to float64, or to the same net where the last digit of its input is another: the larger of
the two. In float16 it is the distance of PyTorch's float16.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from edgevit.graph.half import in_float16
from edgevit.graph.parity import FP32, Distance, Limit, distance
from edgevit.graph.program import Inputs, Program

NOISE = 8  # times the rounding of float32: another order of sums may cost so much
_WIDEST = 1e-2
_ULP = 2.0**-23


@dataclass(frozen=True)
class OwnRounding:
    """Distance of each output that rounding alone causes. A NaN: PyTorch cannot compute it."""

    outputs: tuple[Distance, ...]
    precision: str
    limit: Limit

    def of(self, output: int) -> float:
        return self.outputs[output].rel_l2

    def explains(self, output: int, apart: Distance) -> bool:
        """Check for a distance beyond the limit that rounding causes as well."""
        own = self.outputs[output]
        if self.precision == "fp16":
            return not math.isnan(own.rel_l2) and not self.limit.holds(own)
        return apart.rel_l2 <= NOISE * own.rel_l2


def own_rounding(program: Program, inputs: Inputs, precision: str, limit: Limit) -> OwnRounding:
    """Return how far a program's outputs in PyTorch are from those without rounding.

    They are compared with each other, not with another program's: a program that is wrong has no more of it.
    """
    expected = program.run(inputs)
    if precision == "fp16":
        return OwnRounding(_of_half(program, inputs, expected), precision, limit)
    exact, moved = exact_and_nudged(program, inputs)
    pairs = zip(expected, exact, moved, strict=True)
    return OwnRounding(tuple(_larger(y, a, b) for y, a, b in pairs), precision, limit)


def float32_rounding(program: Program, inputs: Inputs) -> float:
    """Return the relative L2 of the output that float32 rounds most."""
    own = own_rounding(program, inputs, "fp32", FP32)
    return max((one.rel_l2 for one in own.outputs), default=0.0)


def measured_limit(limit: Limit, rounding: float) -> Limit:
    """Return a limit of float32, wider where its own rounding needs it. Beyond `_WIDEST` it needs too much."""
    wider = NOISE * rounding
    return Limit(wider, limit.min_cosine) if limit.max_rel_l2 < wider <= _WIDEST else limit


def rounding_notes(limit: Limit, allowed: Limit) -> tuple[str, ...]:
    """Say so where a limit is wider than usual."""
    if allowed == limit:
        return ()
    own = allowed.max_rel_l2 / NOISE
    return (f"PyTorch's own rounding is {own:.1e} there, and the limit {NOISE} times that",)


def exact_and_nudged(
    program: Program, inputs: Inputs
) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
    """Return a program's outputs in float64, and in float32 where the last digit of its inputs is another."""
    exact = program.in_float64().run(tuple(map(_wide, inputs)))
    return exact, program.run(tuple(map(_nudged, inputs)))


def _wide(x: torch.Tensor) -> torch.Tensor:
    return x.double() if x.is_floating_point() else x


def _nudged(x: torch.Tensor) -> torch.Tensor:
    """Perturb a floating-point tensor by about its last digit."""
    if not x.is_floating_point():
        return x
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    return x * (1 + _ULP * (2 * noise - 1))


def _larger(expected: torch.Tensor, exact: torch.Tensor, moved: torch.Tensor) -> Distance:
    one, other = distance((exact,), (expected,)), distance((expected,), (moved,))
    return max(one, other, key=lambda d: d.rel_l2)


def _of_half(
    program: Program, inputs: Inputs, expected: Sequence[torch.Tensor]
) -> tuple[Distance, ...]:
    try:
        half = in_float16(program).run(inputs)
    except Exception:  # PyTorch has no float16 kernel for some calls
        return (Distance(math.nan, math.nan, math.nan, math.nan),) * len(expected)
    return tuple(distance((a,), (b,)) for a, b in zip(expected, half, strict=True))
