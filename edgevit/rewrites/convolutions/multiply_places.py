"""Convolution of one tap over one axis as a linear at each place.

    conv1d(x, W, b)   ->   permute(linear(permute(x), W, b))        x: N x C x L, W: M x C x 1

The sums are those of the convolution in another kernel, hence `rtol`. TFLite's converter writes the convolution with one
of two axes, moves that reshape into a matrix product in front of it, and fails at the product's rank.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.calls import Conv
from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.convolutions.padding import pads
from edgevit.rewrites.rule import Match, Rule

_PLACES_LAST = [0, 2, 1]


class MultiplyPlaces(Rule[Match]):
    name: ClassVar[str] = "multiply-places"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Match | None:
        conv = Conv.of(node) if kind(node) == "conv1d" else None
        if conv is None or not conv.is_constant(draft) or pads(node):
            return None
        plain = conv.groups == 1 and conv.window == (1,) and conv.stride == (1,)
        return Match(node) if plain else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        conv = Conv.of(match.node)
        assert conv is not None
        weight = edit.constant(edit.draft.tensor(conv.weight).squeeze(2), "weight")
        rows = edit.call(torch.ops.aten.permute.default, operand(match.node), _PLACES_LAST)
        result = edit.call(torch.ops.aten.linear.default, rows, weight, conv.bias)
        return edit.call(torch.ops.aten.permute.default, result, _PLACES_LAST)
