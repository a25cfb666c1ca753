"""Softmax over any axis as one over the last.

    softmax(x, axis)   ->   permute(softmax(permute(x), -1))

The same values: delegates take it over the last axis alone.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import integer, operand
from edgevit.graph.calls import SOFTMAXES, Softmax
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match


def _is_along_another_axis(node: Node) -> bool:
    softmax = Softmax.of(node)
    return softmax is not None and softmax.axis != len(shape(node)) - 1


class PermuteSoftmax(CallRule):
    name: ClassVar[str] = "permute-softmax"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call(*SOFTMAXES, where=_is_along_another_axis)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, rank = match.node, len(shape(match.node))
        permutation = list(range(rank))
        axis = integer(node, "dim") % rank
        permutation[axis], permutation[-1] = permutation[-1], permutation[axis]  # its own inverse
        permute = torch.ops.aten.permute.default
        transposed = edit.call(permute, operand(node), permutation)
        taken = edit.again(node, transposed, -1, *node.args[2:], **node.kwargs)
        return edit.call(permute, taken, permutation)
