"""Selection of known places along an axis, as slices put together.

    index_select(x, axis, [2, 1, 0, 1, 2, 3, 1])      ->   cat(x[2:3], x[1:2], x[0:4], x[1:2])
    index_select(x, axis, [0, 0, 1, 1, 2, 2])         ->   reshape(x' * [1, 1])        x' with an axis of 1 behind

The same values; no delegate supports a gather by indices. Where too many slices would be needed it
stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import integer, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.graph.tensors import integers
from edgevit.rewrites.layout.name_views import sliced
from edgevit.rewrites.rule import SAME_VALUES, Match, Refused, Rule

aten = torch.ops.aten
_MOST = 16  # slices


@dataclass(frozen=True)
class Selected(Match):
    axis: int
    runs: tuple[tuple[int, int], ...]  # start and end of each run of places in their order
    times: int  # repetitions of each place, if all are chosen in turn; else 0


class SliceSelect(Rule[Selected]):
    name: ClassVar[str] = "slice-select"
    rtol: ClassVar[float] = SAME_VALUES
    after: ClassVar[tuple[str, ...]] = ("gather-nearest", "gather-pad")

    def match(self, node: Node, draft: Draft) -> Selected | None:
        if kind(node) != "index_select" or not draft.is_constant(node.args[2]):
            return None
        axis = integer(node, "dim") % len(shape(node))
        places = integers(draft.tensor(operand(node, 2)))
        size = shape(operand(node))[axis]
        times = len(places) // size if size else 0
        repeats = times > 1 and places == [k for k in range(size) for _ in range(times)]
        return Selected(node, axis, _runs(places), times if repeats else 0)

    def check(self, match: Selected, draft: Draft) -> None:
        if not match.runs:
            raise Refused("it chooses nothing")
        if len(match.runs) > _MOST and not match.times:
            raise Refused(f"it would take {len(match.runs)} slices")

    def rewrite(self, match: Selected, edit: Edit) -> Node:
        node, axis = match.node, match.axis
        source = operand(node)
        if match.times:
            sizes = list(shape(source))
            apart = edit.call(
                aten.reshape.default, source, [*sizes[: axis + 1], 1, *sizes[axis + 1 :]]
            )
            ones = torch.ones(
                [match.times, *[1] * (len(sizes) - axis - 1)], dtype=value(node).dtype
            )
            repeated = edit.call(aten.mul.Tensor, apart, edit.constant(ones, "ones"))
            return edit.call(aten.reshape.default, repeated, list(shape(node)))
        parts = [sliced(source, axis, *run, edit) for run in match.runs]
        return parts[0] if len(parts) == 1 else edit.call(aten.cat.default, parts, axis)


def _runs(places: list[int]) -> tuple[tuple[int, int], ...]:
    runs: list[tuple[int, int]] = []
    for place in places:
        if runs and runs[-1][1] == place:
            runs[-1] = runs[-1][0], place + 1
        else:
            runs.append((place, place + 1))
    return tuple(runs)
