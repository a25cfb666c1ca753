"""Softmax over the last of four axes, on three.

    softmax(x, -1)   ->   reshape(softmax(reshape(x, N, C * H, W), -1), N, C, H, W)

XNNPACK keeps four-dimensional values channels-last in memory once a convolution has been there, and then takes the
softmax over the wrong axis. A value of three dimensions has one layout.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call, has_rank, one_of
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

_SOFTMAXES = frozenset({"softmax", "log_softmax", "_softmax", "_log_softmax"})


class FlattenSoftmax(CallRule):
    name: ClassVar[str] = "flatten-softmax"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call(*_SOFTMAXES, dim=one_of(-1, 3), where=has_rank(4))

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        batch, channels, height, width = shape(node)
        reshape = torch.ops.aten.reshape.default
        flat = edit.call(reshape, operand(node), [batch, channels * height, width])
        rest = list(node.args[2:])
        taken = edit.again(node, flat, -1, *rest, **node.kwargs)
        return edit.call(reshape, taken, [batch, channels, height, width])
