"""Pools whose only window is larger than the image, and pools that count a padding that is not there.

    avg_pool(x, 7, ceil_mode)                       ->   avg_pool(x, (2, 3))                  x: 2x3
    avg_pool(x, k, ceil_mode, count_include_pad)    ->   avg_pool(x, k, ceil_mode)            without padding

With `ceil_mode` a window may reach over the edge, and counts the pixels that are there. Padding the image to the size
of its window would be work for nothing. ONNX Runtime's kernel of bytes counts the pixels that are not there where
`count_include_pad` is set.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, per_dimension
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

aten = torch.ops.aten


def _pads(node: Node) -> tuple[int, ...]:
    return per_dimension(argument(node, "padding") or 0, 2)


def _is_of_one_window(node: Node) -> bool:
    if any(_pads(node)) or shape(node)[-2:] != (1, 1):
        return False
    if kind(node) == "max_pool2d" and per_dimension(argument(node, "dilation"), 2) != (1, 1):
        return False
    window = per_dimension(argument(node, "kernel_size"), 2)
    axes = [*zip(shape(operand(node))[-2:], window, strict=True)]
    return any(size > extent for extent, size in axes) and all(s >= e for e, s in axes)


class ClipWindow(CallRule):
    name: ClassVar[str] = "clip-window"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call(
        "avg_pool2d", ceil_mode=True, divisor_override=None, where=_is_of_one_window
    ) | call("max_pool2d", ceil_mode=True, where=_is_of_one_window)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        x = operand(match.node)
        window = list(shape(x)[-2:])
        return edit.again(match.node, x, window, window)


class CountImage(CallRule):
    name: ClassVar[str] = "count-image"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call(
        "avg_pool2d",
        ceil_mode=True,
        count_include_pad=True,
        divisor_override=None,
        where=lambda node: not any(_pads(node)),
    )

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        window = list(per_dimension(argument(node, "kernel_size"), 2))
        stride = list(per_dimension(argument(node, "stride") or window, 2))
        return edit.call(
            aten.avg_pool2d.default, operand(node), window, stride, [0, 0], True, False
        )
