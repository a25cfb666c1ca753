"""Linear over rows as a 1x1 convolution over images of one pixel.

    linear(x, W, b)   ->   reshape(conv2d(reshape(x, N x C x 1 x 1), W, b), N x M)      x: N x C

The sums are those of the linear in another kernel, hence `rtol`. Core AI's linear is a product of matrices, which
Apple's rules for the Neural Engine leave to other units.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.calls import Linear
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import Match, Rule


class ConvolveRows(Rule[Match]):
    name: ClassVar[str] = "convolve-rows"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Match | None:
        linear = Linear.of(node)
        if linear is None or not linear.is_constant(draft) or len(shape(operand(node))) != 2:
            return None
        return Match(node)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        linear = Linear.of(node)
        assert linear is not None
        rows, width = shape(operand(node))
        weight = edit.draft.tensor(linear.weight)
        image = edit.reshaped(operand(node), [rows, width, 1, 1])
        kernel = edit.constant(weight.reshape(*weight.shape, 1, 1), "kernel")
        result = edit.call(torch.ops.aten.conv2d.default, image, kernel, linear.bias)
        return edit.reshaped(result, list(shape(node)))
