"""Nearest resizing as a selection of rows and of columns.

    nearest(x)   ->   index_select(index_select(x, 2, rows), 3, columns)

The indices are what the op itself makes of the numbers 0, 1, 2 ... along an axis, so that given scales and the rounding
of centres follow by construction. Converters agree on what is nearest only when every pixel becomes a whole number of
pixels: such a 2-D resize stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.resize.expand_scaled_resize import scale_is_told
from edgevit.rewrites.resize.index_probe import probed_indices, selected
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

_NEAREST = frozenset({
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
    "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
})  # fmt: skip


@dataclass(frozen=True)
class GatherNearest(Rule[Match]):
    """Rule for nearest resizing.

    `every` includes those that only repeat pixels. `scaled` selects those whose sizes do not
    determine their scale, and those that round to the nearest centre.
    """

    every: bool = False
    scaled: bool = False
    name: ClassVar[str] = "gather-nearest"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in _NEAREST:
            return None
        plain = kind(node) == "upsample_nearest2d"
        if self.scaled:
            return None if plain and scale_is_told(node) else Match(node)
        return None if not self.every and plain and _repeats(node) else Match(node)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, x = match.node, operand(match.node)
        for axis in range(2, len(shape(node))):
            x = selected(x, axis, probed_indices(node, axis), edit)
        return x


def _repeats(node: Node) -> bool:
    """Check that every pixel becomes the same number of pixels."""
    before, after = shape(operand(node))[2:], shape(node)[2:]
    return all(
        not out % extent
        and torch.equal(
            probed_indices(node, axis), torch.arange(extent).repeat_interleave(out // extent)
        )
        for axis, (extent, out) in enumerate(zip(before, after, strict=True), start=2)
    )
