"""Exponentials and logarithms near one, in steps that keep the digits of small numbers.

    expm1(x)   ->   tanh(x / 2) * (exp(x) + 1)
    log1p(x)   ->   where(|x| < 0.3, 2 * (z + z^3 / 3 + z^5 / 5 + z^7 / 7), log(x + 1))      z = x / (x + 2)

The first is an identity, the second the series of the inverse hyperbolic tangent, which at 0.3 is off by 3e-9. Converters write
`exp(x) - 1` and `log(x + 1)`, of which nothing is left where x is 1e-8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.fx.node import Node

from edgevit.graph.aten import op, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import value
from edgevit.graph.traced import copied, traced
from edgevit.rewrites.rule import Match, Refused, Rule, made_by_rule

_NEAR = 0.3


class ExpandLog1p(Rule[Match]):
    name: ClassVar[str] = "expand-log1p"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Match | None:
        if op(node) not in _STEPS or made_by_rule(node, "expand-logs"):
            return None  # there it is added to what hides such small numbers
        return Match(node)

    def check(self, match: Match, draft: Draft) -> None:
        if not value(operand(match.node)).is_floating_point():
            raise Refused("it is not of real numbers")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        _, result = copied(traced(match.node, _STEPS[op(match.node)]), match.node, edit)
        assert isinstance(result, Node)
        return result


def _expm1(x: Tensor) -> Tensor:
    return torch.tanh(x * 0.5) * (torch.exp(x) + 1.0)


def _log1p(x: Tensor) -> Tensor:
    z = x / (x + 2.0)
    square = z * z
    series = z * (((square * (1 / 7) + 1 / 5) * square + 1 / 3) * square + 1.0) * 2.0
    return torch.where(torch.abs(x) < _NEAR, series, torch.log(x + 1.0))


_STEPS: dict[str, Callable[..., Tensor]] = {"expm1": _expm1, "log1p": _log1p}
