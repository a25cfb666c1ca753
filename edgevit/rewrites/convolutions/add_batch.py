"""Convolution or pool of one picture without a batch, as one of a batch of one.

    conv2d(x, w, b)   ->   squeeze(conv2d(unsqueeze(x, 0), w, b), 0)         x of three axes

PyTorch takes both. Converters take the first axis for the batch, or refuse.
"""

from __future__ import annotations

import re
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

_WINDOWED = re.compile(r"(conv|conv_transpose|avg_pool|max_pool|adaptive_avg_pool)([123])d")


class AddBatch(Rule[Match]):
    name: ClassVar[str] = "add-batch"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        windowed = _WINDOWED.fullmatch(kind(node))
        if windowed is None or not isinstance(node.args[0], Node):
            return None
        axes = int(windowed.group(2)) + 1
        return Match(node) if len(shape(operand(node))) == axes else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        batch = edit.call(torch.ops.aten.unsqueeze.default, operand(node), 0)
        computed = edit.again(node, batch, *node.args[1:], **node.kwargs)
        return edit.call(torch.ops.aten.squeeze.dim, computed, 0)
