"""Resizing to the nearest pixel as a choice of rows and of columns.

    nearest(x)   ->   index_select(index_select(x, 2, rows), 3, columns)

The indices are what the op itself makes of the numbers 0, 1, 2 ... along an axis, so that given scales and the rounding
of centres follow by construction. Converters agree on what is nearest only when every pixel becomes a whole number of
pixels: such a 2-D resize stays.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

_NEAREST = frozenset({
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
    "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
})  # fmt: skip


class GatherNearest(Rule[Match]):
    name: ClassVar[str] = "gather-nearest"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in _NEAREST:
            return None
        stays = kind(node) == "upsample_nearest2d" and _repeats(node)
        return None if stays else Match(node)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, x = match.node, operand(match.node)
        for axis in range(2, len(shape(node))):
            chosen = _chosen(node, axis)
            if chosen.tolist() != list(range(shape(operand(node))[axis])):
                indices = edit.constant(chosen, "nearest")
                x = edit.call(torch.ops.aten.index_select.default, x, axis, indices)
        return x


def _repeats(node: Node) -> bool:
    """Every pixel becomes the same number of pixels."""
    before, after = shape(operand(node))[2:], shape(node)[2:]
    return all(
        not out % extent
        and torch.equal(_chosen(node, axis), torch.arange(extent).repeat_interleave(out // extent))
        for axis, (extent, out) in enumerate(zip(before, after, strict=True), start=2)
    )


def _chosen(node: Node, axis: int) -> torch.Tensor:
    """Which pixel of the input each pixel of the output is, along one axis."""
    sizes = [1, 1, *shape(operand(node))[2:]]
    along = [sizes[axis] if k == axis else 1 for k in range(len(sizes))]
    numbers = torch.arange(sizes[axis], dtype=torch.float64).reshape(along).expand(sizes)
    arguments = {spec.name: argument(node, spec.name) for spec in node.target._schema.arguments[1:]}  # type: ignore[union-attr]
    resized: torch.Tensor = node.target(numbers.contiguous(), **arguments)  # type: ignore[operator]
    return resized.movedim(axis, 0).flatten(1)[:, 0].long()
