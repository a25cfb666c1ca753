"""Permutes of more axes than a GPU's textures have, as permutes of at most four.

    permute(x [1, 16, 1, 2, 32], (2, 0, 3, 1, 4))   ->   reshape(permute(reshape(x, 16, 2, 32), (1, 0, 2)))

Axes of one element go, and neighbours that stay neighbours are one. The reshapes meet those around them
(`merge-reshapes`), so that no value of five axes is left. The same values, in no more calls.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.layout.lower_rank.merge import merged, runs_of
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match, Refused

_MOST = 4


class LowerPermutes(CallRule):
    name: ClassVar[str] = "lower-permutes"
    rtol: ClassVar[float] = SAME_VALUES
    after: ClassVar[tuple[str, ...]] = ("name-views",)
    pattern: ClassVar[Pattern] = call("permute", where=lambda node: len(shape(node)) > _MOST)

    def check(self, match: Match, draft: Draft) -> None:
        count = len(runs_of(shape(operand(match.node)), permutation_of(match.node)))
        if count > _MOST:
            raise Refused(f"it moves {count} stretches of axes past each other")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        source = operand(match.node)
        runs = runs_of(shape(source), permutation_of(match.node))
        lying = sorted(runs)
        flat = edit.reshaped(source, merged(shape(source), lying))
        order = [lying.index(run) for run in runs]
        return edit.reshaped(
            edit.call(torch.ops.aten.permute.default, flat, order), shape(match.node)
        )
