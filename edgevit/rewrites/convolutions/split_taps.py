"""Convolution over three axes, as a sum of those of one tap over one of the axes.

    conv3d(x, W)   ->   conv3d(x[t = 0 ...], W[0]) + conv3d(x[t = 1 ...], W[1]) + ...        x padded with zeros

Each of them is a convolution of slices (`convolve-slices`). The sums are in another order: hence `rtol`. ExecuTorch has
no kernel for three axes, LiteRT none for groups of them.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, per_dimension
from edgevit.graph.calls import Conv
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.convolve_slices import plain_axes
from edgevit.rewrites.rule import Match, Rule

aten = torch.ops.aten
_MOST_TAPS = 9
_SPLIT = 2  # the first of the three axes, which is time or depth


class SplitTaps(Rule[Match]):
    name: ClassVar[str] = "split-taps"
    rtol: ClassVar[float] = 1e-5

    def __init__(self, *, only_groups: bool = False) -> None:
        self.only_groups = only_groups

    def match(self, node: Node, draft: Draft) -> Match | None:
        conv = Conv.of(node) if kind(node) == "conv3d" else None
        if conv is None or not draft.is_constant(conv.weight) or len(shape(conv.input)) != 5:
            return None
        if isinstance(argument(node, "padding"), str) or (self.only_groups and conv.groups == 1):
            return None
        few = conv.window[0] <= _MOST_TAPS
        return Match(node) if few and not plain_axes(conv) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        conv = Conv.of(match.node)
        assert conv is not None
        padding = list(per_dimension(argument(match.node, "padding"), 3))
        image, amount = conv.input, padding[0]
        if amount:
            image = edit.call(aten.constant_pad_nd.default, image, [0, 0, 0, 0, amount, amount])
        reach = (shape(match.node)[_SPLIT] - 1) * conv.stride[0] + 1
        weight, total = edit.draft.tensor(conv.weight), None
        for tap in range(conv.window[0]):
            start = tap * conv.dilation[0]
            part = edit.call(aten.slice.Tensor, image, _SPLIT, start, start + reach, conv.stride[0])
            own = edit.constant(weight.narrow(_SPLIT, tap, 1).clone(), "weight")
            window = [[1, *conv.stride[1:]], [0, *padding[1:]], [1, *conv.dilation[1:]]]
            bias = None if tap else conv.bias
            image_of_tap = edit.call(aten.conv3d.default, part, own, bias, *window, conv.groups)
            total = image_of_tap if total is None else edit.call(aten.add.Tensor, total, image_of_tap)  # fmt: skip
        assert total is not None
        return total
