"""Strided slice as the first element of each row of k.

    slice(x, axis, start, end, k)   ->   slice(reshape(slice(x, axis, start, .), [..., n, k, ...]), axis + 1, 0, 1)

Where the last row is not whole, its first value is added by itself. The same values; delegates slice without gaps.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call, other_than
from edgevit.graph.program import shape
from edgevit.rewrites.layout.name_views import places_of, sliced
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

aten = torch.ops.aten


class ExpandStep(CallRule):
    name: ClassVar[str] = "expand-step"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call(
        "slice", step=other_than(1), where=lambda node: len(places_of(node)[1]) > 0
    )

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        source, step = operand(node), argument(node, "step")
        axis, places = places_of(node)
        whole = min(len(places), (shape(source)[axis] - places.start) // step)
        parts: list[Node] = []
        if whole:
            parts.append(_firsts(source, axis, places.start, whole, step, edit))
        if whole < len(places):
            last = places[-1]
            parts.append(edit.call(aten.slice.Tensor, source, axis, last, last + 1))
        return parts[0] if len(parts) == 1 else edit.call(aten.cat.default, parts, axis)


def _firsts(source: Node, axis: int, start: int, rows: int, step: int, edit: Edit) -> Node:
    part = sliced(source, axis, start, start + rows * step, edit)
    sizes = list(shape(part))
    apart = edit.call(aten.reshape.default, part, [*sizes[:axis], rows, step, *sizes[axis + 1 :]])
    first = edit.call(aten.slice.Tensor, apart, axis + 1, 0, 1)
    return edit.call(aten.reshape.default, first, [*sizes[:axis], rows, *sizes[axis + 1 :]])
