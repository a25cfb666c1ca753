"""Place of the extreme over the channels of an image, as the place along the last axis.

    argmax(x, 1)   ->   argmax(permute(x, (0, 2, 3, 1)), -1)

The same places. Where a format keeps channels last, the permute is none, and an NPU takes the places of the last axis alone.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

aten = torch.ops.aten


def _is_over_channels(node: Node) -> bool:
    rank = len(shape(operand(node)))
    return rank == 4 and argument(node, "dim") is not None and integer(node, "dim") % rank == 1


class PermutePlaces(CallRule):
    name: ClassVar[str] = "permute-places"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call("argmax", "argmin", where=_is_over_channels)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        channels_last = edit.call(aten.permute.default, operand(node), [0, 2, 3, 1])
        places = edit.again(node, channels_last, -1)
        return edit.call(aten.unsqueeze.default, places, 1) if argument(node, "keepdim") else places
