"""Complementary error function, with digits where it is small.

    erfc(x)   ->   t exp(P(t) - x^2),  t = 1 / (1 + |x| / 2);   2 minus that where x < 0

Runtimes have erf alone, and 1 - erf(x) is nothing but rounding beyond x = 3 and zero beyond 4. P is the polynomial of
degree 10 fitted to log(erfc(x) exp(x^2) / t) at Chebyshev points: relative error 1e-7, hence `rtol`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.fx.node import Node

from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.traced import copied, traced
from edgevit.rewrites.rule import CallRule, Match

_FITTED = (
    -1.26551221, 1.00002066, 0.374192914, 0.0954856624, -0.17782484, 0.247217904,
    -1.06318656, 1.38712875, -0.735916032, 0.130269811, 0.00812402974,
)  # fmt: skip


class ExpandErfc(CallRule):
    name: ClassVar[str] = "expand-erfc"
    rtol: ClassVar[float] = 1e-6
    pattern: ClassVar[Pattern] = call("erfc")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        _, result = copied(traced(match.node, erfc), match.node, edit)
        assert isinstance(result, Node)
        return result


def erfc(x: Tensor) -> Tensor:
    t = torch.reciprocal(torch.abs(x) * 0.5 + 1.0)
    exponent = t * _FITTED[-1]
    for factor in reversed(_FITTED[1:-1]):
        exponent = (exponent + factor) * t
    tail = t * torch.exp(exponent + _FITTED[0] - x * x)
    return torch.where(x < 0, 2.0 - tail, tail)
