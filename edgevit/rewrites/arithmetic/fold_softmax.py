"""Softmax along an axis of one value, which is one.

    softmax(x [1, 4, 9, 1], -1)   ->   ones [1, 4, 9, 1]

The same values, where x is finite. TFLite's converter writes such a softmax in steps, which no NPU takes in integers.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import integer
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match


def _is_of_one(node: Node) -> bool:
    return bool(shape(node)) and shape(node)[integer(node, "dim")] == 1


class FoldSoftmax(CallRule):
    name: ClassVar[str] = "fold-softmax"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call("softmax", where=_is_of_one)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        return edit.constant(torch.ones(shape(node), dtype=value(node).dtype), "ones")
