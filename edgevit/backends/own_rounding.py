"""PyTorch's own rounding: how far the model's numbers are from those without one.

In float32 it is the distance to float64, or to the same net where the last digit of its input is another: the larger of
the two. In float16 it is the distance of PyTorch's float16.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from edgevit.graph.half import in_float16
from edgevit.graph.parity import Distance, Limit, distance
from edgevit.graph.program import Inputs, Program

NOISE = 8  # times the rounding of float32: another order of sums may cost so much
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


def own_rounding(
    program: Program,
    inputs: Inputs,
    expected: Sequence[torch.Tensor],
    precision: str,
    limit: Limit,
) -> OwnRounding:
    """Return how far `expected`, the program's outputs in float32, are from those without rounding."""
    if precision == "fp16":
        return OwnRounding(_of_half(program, inputs, expected), precision, limit)
    exact = replace(program.in_float64(), inputs=tuple(map(wide, inputs))).run()
    moved = program.run(tuple(map(nudged, inputs)))
    pairs = zip(expected, exact, moved, strict=True)
    return OwnRounding(tuple(_larger(y, a, b) for y, a, b in pairs), precision, limit)


def wide(x: torch.Tensor) -> torch.Tensor:
    return x.double() if x.is_floating_point() else x


def nudged(x: torch.Tensor) -> torch.Tensor:
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
