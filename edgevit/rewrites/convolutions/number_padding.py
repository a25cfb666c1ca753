"""Padding of a convolution in numbers, where a word says it.

    conv2d(x, w, b, stride, "valid")   ->   conv2d(x, w, b, stride, (0, 0), dilation)
    conv2d(x, w, b, stride, "same")    ->   conv2d(x, w, b, stride, (1, 1), dilation)      of a 3 x 3 window

The same values. TFLite's converter misreads a word beside a dilation that is left out.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, per_dimension
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.padding import padding_of
from edgevit.rewrites.rule import CallRule, Match

_CALLS = {
    "conv1d": torch.ops.aten.conv1d.default,
    "conv2d": torch.ops.aten.conv2d.default,
    "conv3d": torch.ops.aten.conv3d.default,
}


def _is_said_by_a_word(node: Node) -> bool:
    return isinstance(argument(node, "padding"), str) and all(
        before == behind for before, behind in padding_of(node)
    )


class NumberPadding(CallRule):
    name: ClassVar[str] = "number-padding"
    pattern: ClassVar[Pattern] = call(*_CALLS, where=_is_said_by_a_word)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        window = shape(argument(node, "weight"))[2:]
        stride, dilation = (
            list(per_dimension(argument(node, name), len(window)))
            for name in ("stride", "dilation")
        )
        return edit.call(
            _CALLS[kind(node)],
            argument(node, "input"),
            argument(node, "weight"),
            argument(node, "bias"),
            stride,
            [before for before, _ in padding_of(node)],
            dilation,
            argument(node, "groups"),
        )
