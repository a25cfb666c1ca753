"""Softmax over any axis as one over the last.

    softmax(x, axis)   ->   permute(softmax(permute(x), -1))

The same values: delegates take it over the last axis alone.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import integer, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule


class PermuteSoftmax(Rule[Match]):
    name: ClassVar[str] = "permute-softmax"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in {"softmax", "_softmax"}:
            return None
        rank = len(shape(node))
        return Match(node) if rank > 1 and integer(node, "dim") % rank != rank - 1 else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, rank = match.node, len(shape(match.node))
        turn = list(range(rank))
        axis = integer(node, "dim") % rank
        turn[axis], turn[-1] = turn[-1], turn[axis]  # its own inverse
        permute = torch.ops.aten.permute.default
        turned = edit.call(permute, operand(node), turn)
        taken = edit.again(node, turned, -1, *node.args[2:], **node.kwargs)
        return edit.call(permute, taken, turn)
