"""Transposed convolutions as convolutions of the small image, each of whose channels become a square of pixels.

conv_transpose2d(x, w, b, stride s)   ->   pixel_shuffle(conv2d(x, w', b'), s), cropped          s * s times the channels
conv_transpose1d(x, w, b, stride s)   ->   conv1d(x, w', b'), s channels beside one another, cropped

A pixel at s * q + r reads x[q - j] by the tap r + s * j: w' has these taps from the last to the first.
"""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.layout.name_views import sliced
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten


class ShuffleTransposed(Rule[Match]):
    name: ClassVar[str] = "shuffle-transposed"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if kind(node) in {"conv_transpose1d", "conv_transpose2d"} else None

    def check(self, match: Match, draft: Draft) -> None:
        node = match.node
        weight, bias = argument(node, "weight"), argument(node, "bias")
        if not draft.is_constant(weight) or not (bias is None or draft.is_constant(bias)):
            raise Refused("its weight is computed")
        if set(_sizes(node, "dilation")) != {1}:
            raise Refused("its taps are apart")
        if len(set(_sizes(node, "stride"))) > 1:
            raise Refused("its strides differ")
        s = _sizes(node, "stride")[0]
        for size, pad, after in zip(shape(weight)[2:], _sizes(node, "padding"), _sizes(node, "output_padding"), strict=True):  # fmt: skip
            if size + after - pad > s * -(-size // s):
                raise Refused("its output goes beyond what the taps reach")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, x = match.node, operand(match.node)
        s, groups = _sizes(node, "stride")[0], cast(int, argument(node, "groups"))
        weight = edit.draft.tensor(argument(node, "weight"))
        taps = [-(-size // s) for size in weight.shape[2:]]
        bias, axes = argument(node, "bias"), len(taps)
        more = [edit.constant(_parts(weight, groups, s, taps), "transposed")]
        more += [None if bias is None else edit.constant(edit.draft.tensor(bias).repeat_interleave(s**axes), "transposed_bias")]  # fmt: skip
        pads, ones = [count - 1 for count in taps], [1] * axes
        convolution = aten.conv2d.default if axes == 2 else aten.conv1d.default
        y = edit.call(convolution, x, *more, ones, pads, ones, groups)
        if s > 1:
            y = edit.call(aten.pixel_shuffle.default, y, s) if axes == 2 else _interleaved(y, s, edit)  # fmt: skip
        for axis, pad in enumerate(_sizes(node, "padding"), 2):
            y = sliced(y, axis, pad, pad + shape(node)[axis], edit)
        return y


def _interleaved(y: Node, s: int, edit: Edit) -> Node:
    """Put every s channels beside one another."""
    batch, channels, length = shape(y)
    parts = edit.reshaped(y, [batch, channels // s, s, length])
    turned = edit.call(aten.permute.default, parts, [0, 1, 3, 2])
    return edit.reshaped(turned, [batch, channels // s, length * s])


def _parts(weight: torch.Tensor, groups: int, s: int, taps: list[int]) -> torch.Tensor:
    """Return the weight of the convolution, its output channels in the order of a pixel shuffle."""
    if len(taps) == 1:
        inputs, outputs, wide = weight.shape
        padded = torch.nn.functional.pad(weight, (0, s * taps[0] - wide))
        split = padded.reshape(groups, inputs // groups, outputs, taps[0], s)
        order = split.permute(0, 2, 4, 1, 3).flip(4)  # group, output, place, input, taps
        return order.reshape(groups * outputs * s, inputs // groups, *taps).contiguous()
    inputs, outputs, high, wide = weight.shape
    padded = torch.nn.functional.pad(weight, (0, s * taps[1] - wide, 0, s * taps[0] - high))
    split = padded.reshape(groups, inputs // groups, outputs, taps[0], s, taps[1], s)
    order = split.permute(0, 2, 4, 6, 1, 3, 5).flip(5, 6)  # group, output, row, column, input, taps
    return order.reshape(groups * outputs * s * s, inputs // groups, *taps).contiguous()


def _sizes(node: Node, name: str) -> list[int]:
    numbers = cast(list[int] | int, argument(node, name))
    listed = [numbers] if isinstance(numbers, int) else list(numbers)
    return listed * (len(shape(node)) - 2) if len(listed) == 1 else listed
