"""Depthwise convolution with a large window as a sum of convolutions with small ones.

    conv(x, W 7x7)   ->   conv(x, W[even, even], dilation 2) + conv(x, W[even, odd], 2) + conv(x, W[odd, :], (2, 1))

The taps are dealt out by every other row and column, so that each part is centred where the whole was and pads alike on
both sides. XNNPACK has kernels for windows of up to 25 taps, and takes a larger one for a matrix product with one
channel, which is ten times slower. Of several outputs a channel, each is a convolution of its own for the same reason.
Sums are added in another order: hence `rtol`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, per_dimension
from edgevit.graph.calls import Conv
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.padding import padding_of
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_MOST = 25  # taps
Cut = tuple[int, int]  # the first row (or column) and the step to the next
_WHOLE: Cut = (0, 1)
_EVEN: Cut = (0, 2)
_ODD: Cut = (1, 2)
_WAYS: tuple[tuple[tuple[Cut, Cut], ...], ...] = (  # the fewest parts first
    ((_WHOLE, _WHOLE),),
    ((_EVEN, _WHOLE), (_ODD, _WHOLE)),
    ((_WHOLE, _EVEN), (_WHOLE, _ODD)),
    ((_EVEN, _WHOLE), (_ODD, _EVEN), (_ODD, _ODD)),
    ((_EVEN, _EVEN), (_EVEN, _ODD), (_ODD, _WHOLE)),
    ((_EVEN, _EVEN), (_EVEN, _ODD), (_ODD, _EVEN), (_ODD, _ODD)),
)


@dataclass(frozen=True)
class Large(Match):
    parts: tuple[tuple[Cut, Cut], ...]  # by rows and columns


class SplitDepthwise(Rule[Large]):
    name: ClassVar[str] = "split-depthwise"
    rtol: ClassVar[float] = 1e-5
    after: ClassVar[tuple[str, ...]] = ("collapse-linear",)

    def match(self, node: Node, draft: Draft) -> Large | None:
        conv = Conv.of(node) if kind(node) == "conv2d" else None
        if conv is None or not draft.is_constant(conv.weight):
            return None
        outs, ins, high, wide = shape(conv.weight)
        channels = shape(conv.input)[1]
        if ins != 1 or channels == 1 or conv.groups != channels:
            return None
        if high * wide <= _MOST and outs == channels:
            return None
        return Large(node, _parts(high, wide))

    def check(self, match: Large, draft: Draft) -> None:
        window, dilation = _pair(match.node, "kernel"), _pair(match.node, "dilation")
        padding = padding_of(match.node)
        if any(before != behind for before, behind in padding):
            raise Refused("it pads more on one side than on the other")
        if not match.parts:
            raise Refused(f"four parts of {window[0]}x{window[1]} have more than {_MOST} taps")
        for axis in range(2):
            if any(part[axis] != _WHOLE for part in match.parts):
                if not window[axis] % 2:
                    raise Refused("a window of even size has no centre")
                if padding[axis][0] < dilation[axis]:
                    raise Refused("it does not pad")

    def rewrite(self, match: Large, edit: Edit) -> Node:
        node = match.node
        weight = edit.draft.tensor(argument(node, "weight"))
        bias = argument(node, "bias")
        biases = None if bias is None else edit.draft.tensor(bias)
        times = shape(node)[1] // shape(operand(node))[1]
        each = [
            _summed(match, weight[k::times], None if biases is None else biases[k::times], edit)
            for k in range(times)
        ]
        if times == 1:
            return each[0]
        batch, channels, *size = shape(each[0])
        apart = [edit.call(aten.reshape.default, one, [batch, channels, 1, *size]) for one in each]
        joined = edit.call(aten.cat.default, apart, 2)
        return edit.call(aten.reshape.default, joined, list(shape(node)))


def _summed(match: Large, weight: torch.Tensor, bias: torch.Tensor | None, edit: Edit) -> Node:
    node = match.node
    stride, dilation = _pair(node, "stride"), _pair(node, "dilation")
    padding = [before for before, _ in padding_of(node)]
    terms: list[Node] = []
    for rows, columns in match.parts:
        part = weight[:, :, rows[0] :: rows[1], columns[0] :: columns[1]]
        firsts, steps = (rows[0], columns[0]), (rows[1], columns[1])
        terms.append(
            edit.call(
                aten.conv2d.default,
                operand(node),
                edit.constant(part, "weight"),
                edit.constant(bias, "bias") if bias is not None and not terms else None,
                stride,
                [p - f * d for p, f, d in zip(padding, firsts, dilation, strict=True)],
                [d * s for d, s in zip(dilation, steps, strict=True)],
                len(weight),
            )
        )
    return reduce(lambda a, b: edit.call(aten.add.Tensor, a, b), terms)


def _parts(high: int, wide: int) -> tuple[tuple[Cut, Cut], ...]:
    """Return the first way in which every part is small enough; none when even four parts are
    too large.
    """
    fitting = (way for way in _WAYS if all(_taps(part, high, wide) <= _MOST for part in way))
    return next(fitting, ())


def _taps(part: tuple[Cut, Cut], high: int, wide: int) -> int:
    rows, columns = part
    return len(range(rows[0], high, rows[1])) * len(range(columns[0], wide, columns[1]))


def _pair(node: Node, name: str) -> list[int]:
    if name == "kernel":
        return list(shape(argument(node, "weight"))[2:])
    return list(per_dimension(argument(node, name), 2))
