"""Limits of a clamp as numbers of one type.

    clamp(x, 0, 1.5)   ->   clamp(x, 0.0, 1.5)      x of floats

The same values. torch's ONNX exporter finds no function for a whole number beside a float.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import value
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match


def _limits(node: Node) -> tuple[object, object]:
    return argument(node, "min"), argument(node, "max")


def _is_mixed(node: Node) -> bool:
    types = {type(limit) for limit in _limits(node)}
    return types == {int, float} and value(operand(node)).is_floating_point()


class NumberClamps(CallRule):
    name: ClassVar[str] = "number-clamps"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call("clamp", where=_is_mixed)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        least, most = _limits(match.node)
        assert isinstance(least, int | float) and isinstance(most, int | float)
        function = torch.ops.aten.clamp.default
        return edit.call(function, operand(match.node), float(least), float(most))
