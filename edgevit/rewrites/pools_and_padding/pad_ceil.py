"""Pools whose last windows reach over the edge (`ceil_mode`), as pools of a padded image.

    max_pool(x, k, ceil_mode)   ->   max_pool(pad(x, over, -inf), k)
    avg_pool(x, k, ceil_mode)   ->   avg_pool(pad(x, over, 0), k, divisor 1) * weights

A window's weight is one over the number of pixels that it counts: with `count_include_pad` those of the padding are
among them, those beyond it never. Converters differ in what they make of such windows.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, op, operand, per_dimension
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

aten = torch.ops.aten
_AVERAGE = call("avg_pool2d", ceil_mode=True, divisor_override=None)


class PadCeil(CallRule):
    name: ClassVar[str] = "pad-ceil"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = _AVERAGE | call("max_pool2d", ceil_mode=True)

    def __init__(self, counts: bool = False) -> None:
        self._counts = counts  # only means that count a padding

    def match(self, node: Node, draft: Draft) -> Match | None:
        if self._counts and not _counts_padding(node):
            return None
        return super().match(node, draft)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        window, stride = _numbers(node, "kernel_size"), _stride(node)
        pads = _numbers(node, "padding")
        over = [amount for extent in reversed(_over(node)) for amount in (0, extent)]
        x: Any = operand(node)
        average = op(node) == "avg_pool2d"
        if any(over):
            x = edit.call(aten.constant_pad_nd.default, x, over, 0.0 if average else -math.inf)
        if not average:
            dilation = list(_numbers(node, "dilation"))
            return edit.call(aten.max_pool2d.default, x, window, stride, pads, dilation)
        mean = edit.call(aten.avg_pool2d.default, x, window, stride, pads)
        weights = _weights(node) * math.prod(window)
        if bool((weights == 1).all()):
            return mean
        return edit.call(aten.mul.Tensor, mean, edit.constant(weights, "weights"))


def _numbers(node: Node, name: str) -> list[int]:
    return list(per_dimension(argument(node, name) or 0, 2))


def _stride(node: Node) -> list[int]:
    return _numbers(node, "stride") if argument(node, "stride") else _numbers(node, "kernel_size")


def _counts_padding(node: Node) -> bool:
    average = node.op == "call_function" and op(node) == "avg_pool2d"
    return average and bool(argument(node, "count_include_pad")) and any(_numbers(node, "padding"))


def _over(node: Node) -> list[int]:
    """Return how far the last window reaches past the padding, along each axis."""
    dilation = _numbers(node, "dilation") if op(node) == "max_pool2d" else [1, 1]
    axes = zip(
        shape(operand(node))[-2:],
        shape(node)[-2:],
        _numbers(node, "kernel_size"),
        _stride(node),
        _numbers(node, "padding"),
        dilation,
        strict=True,
    )
    return [
        max((out - 1) * step + (size - 1) * apart + 1 - extent - 2 * pad, 0)
        for extent, out, size, step, pad, apart in axes
    ]


def _weights(node: Node) -> torch.Tensor:
    """Return the factor of each window's sum.

    The op itself gives it: on ones its result is weight times pixels.
    """
    lead = [1] * (len(shape(node)) - 2)
    ones = torch.ones(*lead, *shape(operand(node))[-2:], dtype=torch.float64)
    window, stride, pads = _numbers(node, "kernel_size"), _stride(node), _numbers(node, "padding")
    counts = argument(node, "count_include_pad")
    pixels = aten.avg_pool2d(ones, window, stride, pads, True, counts, 1)
    means = aten.avg_pool2d(ones, window, stride, pads, True, counts)
    return (means / pixels).to(value(node).dtype)
