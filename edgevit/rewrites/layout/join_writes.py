"""Writes over a part of an axis, as the parts put together.

select_scatter(x, y, axis, k)          ->   cat(x[:k], y, x[k + 1:])
slice_scatter(x, y, axis, start, end)  ->   cat(x[:start], y, x[end:])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.layout.name_views import sliced
from edgevit.rewrites.rule import SAME_VALUES, Match, Refused, Rule


@dataclass(frozen=True)
class JoinWrites(Rule[Match]):
    dtype: torch.dtype | None = None  # of the values, where one of them alone needs it
    name: ClassVar[str] = "join-writes"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in {"select_scatter", "slice_scatter"}:
            return None
        return Match(node) if self.dtype in (None, value(node).dtype) else None

    def check(self, match: Match, draft: Draft) -> None:
        if kind(match.node) == "slice_scatter" and argument(match.node, "step") != 1:
            raise Refused("it writes to places that are no neighbours")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, whole, source = match.node, operand(match.node), operand(match.node, 1)
        axis = integer(node, "dim") % len(shape(node))
        start, end = _span(node, shape(node)[axis])
        sizes = list(shape(node))
        sizes[axis] = end - start
        parts = [sliced(whole, axis, 0, start, edit)] if start else []
        parts += [edit.reshaped(source, sizes)] if end > start else []
        parts += [sliced(whole, axis, end, shape(node)[axis], edit)] if end < shape(node)[axis] else []  # fmt: skip
        return parts[0] if len(parts) == 1 else edit.call(torch.ops.aten.cat.default, parts, axis)


def _span(node: Node, size: int) -> tuple[int, int]:
    if kind(node) == "select_scatter":
        start = integer(node, "index") % size
        return start, start + 1
    start, end, _ = slice(argument(node, "start"), argument(node, "end")).indices(size)
    return start, max(start, end)
