"""Transposed convolutions as convolutions of the small image, each of whose channels become a square of pixels.

conv_transpose2d(x, w, b, stride s)   ->   pixel_shuffle(conv2d(x, w', b'), s), cropped          s * s times the channels

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
        return Match(node) if kind(node) == "conv_transpose2d" else None

    def check(self, match: Match, draft: Draft) -> None:
        node = match.node
        weight, bias = argument(node, "weight"), argument(node, "bias")
        if not draft.is_constant(weight) or not (bias is None or draft.is_constant(bias)):
            raise Refused("its weight is computed")
        if _two(node, "dilation") != [1, 1]:
            raise Refused("its taps are apart")
        if len(set(_two(node, "stride"))) > 1:
            raise Refused("its strides differ")
        s = _two(node, "stride")[0]
        for size, pad, after in zip(shape(weight)[2:], _two(node, "padding"), _two(node, "output_padding"), strict=True):  # fmt: skip
            if size + after - pad > s * -(-size // s):
                raise Refused("its output goes beyond what the taps reach")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, x = match.node, operand(match.node)
        s, groups = _two(node, "stride")[0], cast(int, argument(node, "groups"))
        weight = edit.draft.tensor(argument(node, "weight"))
        taps = [-(-size // s) for size in weight.shape[2:]]
        bias = argument(node, "bias")
        more = [edit.constant(_parts(weight, groups, s, taps), "transposed")]
        more += [None if bias is None else edit.constant(edit.draft.tensor(bias).repeat_interleave(s * s), "transposed_bias")]  # fmt: skip
        pads = [count - 1 for count in taps]
        y = edit.call(aten.conv2d.default, x, *more, [1, 1], pads, [1, 1], groups)
        y = edit.call(aten.pixel_shuffle.default, y, s) if s > 1 else y
        for axis, pad in enumerate(_two(node, "padding"), 2):
            y = sliced(y, axis, pad, pad + shape(node)[axis], edit)
        return y


def _parts(weight: torch.Tensor, groups: int, s: int, taps: list[int]) -> torch.Tensor:
    """Return the weight of the convolution, its output channels in the order of a pixel shuffle."""
    inputs, outputs, high, wide = weight.shape
    padded = torch.nn.functional.pad(weight, (0, s * taps[1] - wide, 0, s * taps[0] - high))
    split = padded.reshape(groups, inputs // groups, outputs, taps[0], s, taps[1], s)
    order = split.permute(0, 2, 4, 6, 1, 3, 5).flip(5, 6)  # group, output, row, column, input, taps
    return order.reshape(groups * outputs * s * s, inputs // groups, *taps).contiguous()


def _two(node: Node, name: str) -> list[int]:
    numbers = cast(list[int] | int, argument(node, name))
    listed = [numbers] if isinstance(numbers, int) else list(numbers)
    return listed * 2 if len(listed) == 1 else listed
