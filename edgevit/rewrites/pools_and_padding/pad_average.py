"""Padded average pool as a pool of a padded image.

    avg_pool(x, k, padding, count_include_pad)   ->   avg_pool(pad(x, padding), k)
    avg_pool(x, k, padding)                      ->   avg_pool(pad(x, padding), k) * weights

Without `count_include_pad` a window's mean is over the pixels of the image alone: each is multiplied by how many
times as large the window is. Delegates count the padding in their own way; of an image that is padded there is one.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand, per_dimension
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

aten = torch.ops.aten


def _pads_an_image(node: Node) -> bool:
    return len(shape(node)) == 4 and any(_pads(node))


class PadAverage(CallRule):
    name: ClassVar[str] = "pad-average"
    rtol: ClassVar[float] = SAME_VALUES
    after: ClassVar[tuple[str, ...]] = ("pad-ceil",)
    pattern: ClassVar[Pattern] = call(
        "avg_pool2d", ceil_mode=False, divisor_override=None, where=_pads_an_image
    )

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        high, wide = _pads(node)
        window, stride = argument(node, "kernel_size"), argument(node, "stride")
        padded = edit.call(
            aten.constant_pad_nd.default, operand(node), [wide, wide, high, high], 0.0
        )
        mean = edit.call(aten.avg_pool2d.default, padded, window, stride or window)
        if argument(node, "count_include_pad"):
            return mean
        return edit.call(aten.mul.Tensor, mean, edit.constant(_weights(node), "weights"))


def _pads(node: Node) -> tuple[int, ...]:
    return per_dimension(argument(node, "padding") or 0, 2)


def _weights(node: Node) -> torch.Tensor:
    """Return the weights from the op itself: on ones, a mean that counts the padding is less
    than 1.
    """
    ones = torch.ones(1, 1, *shape(operand(node))[2:], dtype=torch.float64)
    window, stride = argument(node, "kernel_size"), argument(node, "stride")
    counted = aten.avg_pool2d(ones, window, stride or window, list(_pads(node)))
    return (1 / counted).to(value(node).dtype)
