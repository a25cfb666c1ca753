"""Average pool with its own divisor, as one that divides by the window's size, and a product.

    avg_pool(x, k, divisor_override=d)   ->   avg_pool(x, k, count_include_pad=True) * (k * k / d)

Exporters silently drop the divisor. With `ceil_mode` a window may reach past the padding, and what
`count_include_pad` counts there is less than k * k: such a pool stays.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand, per_dimension
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import PRESENT, Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match, Refused


class ScaleDivisor(CallRule):
    name: ClassVar[str] = "scale-divisor"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call("avg_pool2d", divisor_override=PRESENT)

    def check(self, match: Match, draft: Draft) -> None:
        node = match.node
        window, stride, pad = _window(node)
        if not argument(node, "ceil_mode"):
            return
        for axis, (extent, out) in enumerate(
            zip(shape(operand(node))[-2:], shape(node)[-2:], strict=True)
        ):
            if (out - 1) * stride[axis] + window[axis] > extent + 2 * pad[axis]:
                raise Refused("with ceil_mode a window reaches past the padding")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        window, stride, pad = _window(node)
        pool = torch.ops.aten.avg_pool2d.default
        mean = edit.call(pool, node.args[0], list(window), list(stride), list(pad), False, True)
        divisor = argument(node, "divisor_override")
        return edit.call(torch.ops.aten.mul.Tensor, mean, math.prod(window) / divisor)


def _window(node: Node) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    window = per_dimension(argument(node, "kernel_size"), 2)
    stride = per_dimension(argument(node, "stride") or window, 2)
    return window, stride, per_dimension(argument(node, "padding"), 2)
