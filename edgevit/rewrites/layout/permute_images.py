"""Conversion of images to rows of tokens and back, by a permute of the image's own axes.

    permute(reshape(x, B, C, H * W), 0, 2, 1)   ->   reshape(permute(x, 0, 2, 3, 1), B, H * W, C)
    reshape(permute(y, 0, 2, 1), B, C, H, W)    ->   permute(reshape(y, B, H, W, C), 0, 3, 1, 2)

The same values. Runtimes keep images with the channels last, where this permute is nothing; between a reshape and a permute
of three axes they cannot see that.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

aten = torch.ops.aten


class PermuteImages(Rule[Match]):
    name: ClassVar[str] = "permute-images"
    rtol: ClassVar[float] = SAME_VALUES
    after: ClassVar[tuple[str, ...]] = ("name-views", "merge-reshapes", "merge-permutes")

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if _to_tokens(node) or _to_image(node) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        source = operand(operand(node))
        if kind(node) == "permute":
            transposed = edit.call(aten.permute.default, source, [0, 2, 3, 1])
            return edit.call(aten.reshape.default, transposed, list(shape(node)))
        batch, channels, high, wide = shape(node)
        image = edit.call(aten.reshape.default, source, [batch, high, wide, channels])
        return edit.call(aten.permute.default, image, [0, 3, 1, 2])


def _to_tokens(node: Node) -> bool:
    if kind(node) != "permute" or permutation_of(node) != [0, 2, 1]:
        return False
    rows = operand(node)
    if kind(rows) != "reshape" or len(rows.users) > 1 or len(shape(operand(rows))) != 4:
        return False
    batch, channels, high, wide = shape(operand(rows))
    return shape(rows) == (batch, channels, high * wide)


def _to_image(node: Node) -> bool:
    if kind(node) != "reshape" or len(shape(node)) != 4 or kind(operand(node)) != "permute":
        return False
    transposed = operand(node)
    if permutation_of(transposed) != [0, 2, 1] or len(transposed.users) > 1:
        return False
    batch, channels, high, wide = shape(node)
    return shape(transposed) == (batch, channels, high * wide)
