"""Convolution over three axes, of one tap over one of them, as a convolution of slices.

    conv3d(x, W)   ->   conv2d of each slice of x along the axis        W: M x C x k x k x 1, 1 x k x k, k x 1 x k

The axis lies in the batch meanwhile. The sums are the same in another kernel: hence `rtol`. ExecuTorch has no kernel
for three axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, per_dimension
from edgevit.graph.calls import Conv
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import Match, Rule

aten = torch.ops.aten
_WINDOW = ("stride", "padding", "dilation")


@dataclass(frozen=True)
class SlicedConv(Match):
    axis: int  # of the three


class ConvolveSlices(Rule[SlicedConv]):
    name: ClassVar[str] = "convolve-slices"
    rtol: ClassVar[float] = 1e-5

    def __init__(self, *, only_groups: bool = False) -> None:
        self.only_groups = only_groups

    def match(self, node: Node, draft: Draft) -> SlicedConv | None:
        conv = Conv.of(node) if kind(node) == "conv3d" else None
        if conv is None or not draft.is_constant(conv.weight) or len(shape(conv.input)) != 5:
            return None
        if isinstance(argument(node, "padding"), str):
            return None
        if self.only_groups and conv.groups == 1:
            return None
        plain = plain_axes(conv)
        return SlicedConv(node, plain[-1]) if plain else None

    def rewrite(self, match: SlicedConv, edit: Edit) -> Node:
        node, axis = match.node, match.axis
        conv = Conv.of(node)
        assert conv is not None
        others = [2 + other for other in range(3) if other != axis]
        sizes = shape(conv.input)
        slices = edit.call(aten.permute.default, operand(node), [0, 2 + axis, 1, *others])
        batch = [sizes[0] * sizes[2 + axis], sizes[1], *(sizes[other] for other in others)]
        weight = edit.constant(edit.draft.tensor(conv.weight).squeeze(2 + axis), "weight")
        window = [
            [per_dimension(argument(node, name), 3)[other - 2] for other in others]
            for name in _WINDOW
        ]
        images = edit.call(
            aten.conv2d.default, edit.reshaped(slices, batch), weight, conv.bias, *window, conv.groups
        )  # fmt: skip
        stack = edit.reshaped(images, [sizes[0], sizes[2 + axis], *shape(images)[1:]])
        return edit.call(aten.permute.default, stack, [0, 2, *_places_of_axes(axis)])


def plain_axes(conv: Conv) -> list[int]:
    """Return which of the three axes have one tap, at every place."""
    padding = per_dimension(argument(conv.node, "padding"), 3)
    return [
        axis
        for axis, taps in enumerate(conv.window)
        if taps == 1 and conv.stride[axis] == 1 and padding[axis] == 0
    ]


def _places_of_axes(axis: int) -> list[int]:
    """Return where the three axes lie behind batch, slices and channels."""
    places = [3, 4]
    places.insert(axis, 1)
    return places
