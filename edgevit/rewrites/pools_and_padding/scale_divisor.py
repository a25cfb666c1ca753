"""Average pool with its own divisor, as one that divides by the window's size, and a product.

    avg_pool(x, k, divisor_override=d)   ->   avg_pool(pad(x), k) * (k * k / d)

Exporters silently drop the divisor. The zeros are written out where a window with `ceil_mode`
reaches past the padding, as a pool would not count them.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, per_dimension
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import PRESENT, Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

_AXES = {"avg_pool2d": 2, "avg_pool3d": 3}


class ScaleDivisor(CallRule):
    name: ClassVar[str] = "scale-divisor"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call(*_AXES, divisor_override=PRESENT)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        x, (window, stride, pad) = operand(node), _window(node)
        behind = _behind(node)
        if any(map(int.__gt__, behind, pad)):
            ends = zip(reversed(pad), reversed(behind), strict=True)
            sides = [amount for pair in ends for amount in pair]
            x = edit.call(torch.ops.aten.pad.default, x, sides, "constant", 0.0)
            pad = (0,) * len(pad)
        mean = edit.again(node, x, list(window), list(stride), list(pad), False, True)
        factor = math.prod(window) / argument(node, "divisor_override")
        return edit.call(torch.ops.aten.mul.Tensor, mean, factor)


def _behind(node: Node) -> list[int]:
    """Return how many zeros the last window of each axis needs behind the picture."""
    window, stride, pad = _window(node)
    axes = len(window)
    return [
        max(p, (out - 1) * step + size - extent - p)
        for extent, out, size, step, p in zip(
            shape(operand(node))[-axes:], shape(node)[-axes:], window, stride, pad, strict=True
        )
    ]


def _window(node: Node) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    axes = _AXES[kind(node)]
    window = per_dimension(argument(node, "kernel_size"), axes)
    stride = per_dimension(argument(node, "stride") or window, axes)
    return window, stride, per_dimension(argument(node, "padding"), axes)
