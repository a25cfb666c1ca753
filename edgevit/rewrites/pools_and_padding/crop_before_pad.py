"""Pad by a negative number as a crop.

    pad(x, (1, -1, 0, 2))   ->   pad(x[..., :-1], (1, 0, 0, 2))

ExecuTorch's kernel refuses negative pads when it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Condition, Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.layout.name_views import sliced
from edgevit.rewrites.rule import CallRule, Match, Refused


class CropBeforePad(CallRule):
    name: ClassVar[str] = "crop-before-pad"
    pattern: ClassVar[Pattern] = call(
        "pad", "constant_pad_nd", pad=Condition(lambda pads: min(pads, default=0) < 0)
    )

    def check(self, match: Match, draft: Draft) -> None:
        node = match.node
        if kind(node) == "pad" and argument(node, "mode") != "constant":
            raise Refused("what is reflected or repeated would change with the crop")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        x, pads = operand(node), argument(node, "pad")
        for axis, (before, after) in _by_axis(pads, len(shape(x))):
            start, stop = max(-before, 0), shape(x)[axis] - max(-after, 0)
            x = sliced(x, axis, start, stop, edit)
        grown = [max(pad, 0) for pad in pads]
        if not any(grown):
            return x
        value = argument(node, "value") or 0.0
        return edit.call(torch.ops.aten.pad.default, x, grown, "constant", value)


def _by_axis(pads: Sequence[int], rank: int) -> list[tuple[int, tuple[int, int]]]:
    """Assign pads to axes: they come in pairs, from the last axis on."""
    return [(rank - 1 - k // 2, (pads[k], pads[k + 1])) for k in range(0, len(pads), 2)]
