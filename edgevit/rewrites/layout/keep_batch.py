"""Permute of an image without its batch, as one with it.

    permute(reshape(x, C x H x W), (1, 0, 2))   ->   reshape(permute(x, (0, 2, 1, 3)), H x C x W)        x: 1 x C x H x W

The same values. Where two of the extents are equal, LiteRT's converter takes the reshape for one that moves nothing in
its own order of axes, which has the channels last, and computes with other places.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule


class KeepBatch(Rule[Match]):
    name: ClassVar[str] = "keep-batch"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) != "permute" or kind(operand(node)) not in RESHAPES:
            return None
        sizes, image = shape(operand(node)), shape(operand(operand(node)))
        ambiguous = len(sizes) == 3 and len(set(sizes)) < 3
        return Match(node) if ambiguous and tuple(image) == (1, *sizes) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        image = operand(operand(match.node))
        axes = [0, *(axis + 1 for axis in permutation_of(match.node))]
        permuted = edit.call(torch.ops.aten.permute.default, image, axes)
        return edit.reshaped(permuted, shape(match.node))
