"""Convolution with a window larger than a chip takes, as a sum over parts of the window.

    conv(x, W)   ->   conv(x[..., 0:], W[..., 0:k]) + conv(x[..., k:], W[..., k:2k]) + ...

Each part reads what its taps would have read. Sums are added in another order: hence `rtol`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import ceil
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, per_dimension
from edgevit.graph.calls import Conv
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.padding import padding_of
from edgevit.rewrites.rule import Match, Rule

aten = torch.ops.aten


@dataclass(frozen=True)
class SplitWindow(Rule[Match]):
    most: tuple[int, int]  # rows and columns
    name: ClassVar[str] = "split-window"
    rtol: ClassVar[float] = 1e-5
    after: ClassVar[tuple[str, ...]] = ("collapse-linear",)

    def match(self, node: Node, draft: Draft) -> Match | None:
        conv = Conv.of(node) if kind(node) == "conv2d" else None
        if conv is None or not draft.is_constant(conv.weight):
            return None
        fits = all(size <= most for size, most in zip(conv.window, self.most, strict=True))
        return None if fits else Match(node)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        weight, image = edit.draft.tensor(argument(node, "weight")), _padded(node, edit)
        down, across = (
            _cuts(size, most) for size, most in zip(weight.shape[2:], self.most, strict=True)
        )
        parts: list[Node] = []
        for rows in down:
            for columns in across:
                bias = None if parts else argument(node, "bias")
                parts.append(_part(node, image, weight, (rows, columns), bias, edit))
        return reduce(lambda a, b: edit.call(aten.add.Tensor, a, b), parts)


def _padded(node: Node, edit: Edit) -> Node:
    amounts = [amount for axis in reversed(padding_of(node)) for amount in axis]
    if not any(amounts):
        return operand(node)
    return edit.call(aten.constant_pad_nd.default, operand(node), amounts)


def _cuts(size: int, most: int) -> list[range]:
    """Cut into as few ranges as possible, of sizes that differ by one at most."""
    count = ceil(size / most)
    borders = [size * k // count for k in range(count + 1)]
    return [range(a, b) for a, b in pairwise(borders)]


def _part(
    node: Node, image: Node, weight: torch.Tensor, taps: tuple[range, range],
    bias: Node | None, edit: Edit,
) -> Node:  # fmt: skip
    stride, dilation = (per_dimension(argument(node, name), 2) for name in ("stride", "dilation"))
    for axis, cut in enumerate(taps):
        weight = weight.narrow(2 + axis, cut.start, len(cut))
        start, span = cut.start * dilation[axis], dilation[axis] * (len(cut) - 1) + 1
        steps, size = shape(node)[2 + axis] - 1, shape(image)[2 + axis]
        if start or (size - span) // stride[axis] != steps:
            end = start + steps * stride[axis] + span
            image = edit.call(aten.slice.Tensor, image, 2 + axis, start, end)
    kernel = edit.constant(weight, "weight")
    groups = argument(node, "groups")
    return edit.call(aten.conv2d.default, image, kernel, bias, stride, [0, 0], dilation, groups)
