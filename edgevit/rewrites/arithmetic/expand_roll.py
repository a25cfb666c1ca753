"""Roll as two swapped slices for each axis.

    roll(x, s, axis)   ->   cat(slice(x, axis, n - s, n), slice(x, axis, 0, n - s))

The same values. Converters make index arithmetic and a gather of it, which no delegate takes.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

aten = torch.ops.aten


class ExpandRoll(CallRule):
    name: ClassVar[str] = "expand-roll"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call("roll", where=lambda node: prod(shape(node)) > 0)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        source, sizes = operand(node), list(shape(node))
        shifts, axes = argument(node, "shifts"), argument(node, "dims")
        if not axes:  # of the values in a row
            flat = edit.call(aten.reshape.default, source, [prod(sizes)])
            return edit.call(aten.reshape.default, _rolled(flat, shifts[0], 0, edit), sizes)
        for shift, axis in zip(shifts, axes, strict=True):
            source = _rolled(source, shift, axis % len(sizes), edit)
        return source


def _rolled(source: Node, shift: int, axis: int, edit: Edit) -> Node:
    size = shape(source)[axis]
    seam = -shift % size
    if not seam:
        return source
    head = edit.call(aten.slice.Tensor, source, axis, 0, seam)
    tail = edit.call(aten.slice.Tensor, source, axis, seam, size)
    return edit.call(aten.cat.default, [tail, head], axis)
