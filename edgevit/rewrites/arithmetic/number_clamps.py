"""Limits of a clamp as numbers of one type.

    clamp(x, 0, 1.5)     ->   clamp(x, 0.0, 1.5)      x of floats
    clamp(x, a, b)       ->   clamp(x, A, B)          a and b constants of one number
    clamp(x, -inf, b)    ->   clamp(x, max=B)
    clamp(x, -inf, inf)  ->   x

The same values. torch's ONNX exporter finds no function for a whole number beside a float. onnxsim merges two clamps by
tensors, and puts what computes the new limits behind the clamp that reads them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule


@dataclass(frozen=True)
class _Limits(Match):
    least: float
    most: float


class NumberClamps(Rule[_Limits]):
    name: ClassVar[str] = "number-clamps"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> _Limits | None:
        if kind(node) != "clamp" or not _keeps_floats(node):
            return None
        limits = [argument(node, "min"), argument(node, "max")]
        mixed = {type(limit) for limit in limits} == {int, float}
        if not mixed and not any(map(draft.is_constant, limits)):
            return None
        least, most = _number(limits[0], -math.inf, draft), _number(limits[1], math.inf, draft)
        return None if least is None or most is None else _Limits(node, least, most)

    def rewrite(self, match: _Limits, edit: Edit) -> Node:
        least = None if match.least == -math.inf else match.least
        most = None if match.most == math.inf else match.most
        x = operand(match.node)
        if least is None and most is None:
            return x
        return edit.call(torch.ops.aten.clamp.default, x, least, most)


def _keeps_floats(node: Node) -> bool:
    x, result = value(operand(node)), value(node)
    return x.is_floating_point() and x.dtype == result.dtype and shape(operand(node)) == shape(node)


def _number(limit: object, absent: float, draft: Draft) -> float | None:
    """Return the limit as a number; None where it is computed, of several numbers, or NaN."""
    if limit is None:
        return absent
    if isinstance(limit, Node):
        if not draft.is_constant(limit) or draft.tensor(limit).numel() != 1:
            return None
        limit = draft.tensor(limit).item()
    return float(limit) if isinstance(limit, int | float) and limit == limit else None
