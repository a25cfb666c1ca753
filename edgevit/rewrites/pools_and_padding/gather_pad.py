"""Padding with the image's own pixels, and flips, as a selection of places along each axis.

    pad(x, mode=reflect | replicate | circular), flip(x)   ->   index_select(index_select(x, 2, rows), 3, columns)

The indices are what the op itself makes of the numbers 0, 1, 2 ... along an axis. The same values.
"""

from __future__ import annotations

from typing import ClassVar

from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.resize.index_probe import probed_indices, selected
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

_PADS = frozenset(
    f"{way}_pad{axes}d" for way in ("reflection", "replication") for axes in (1, 2, 3)
)


class GatherPad(Rule[Match]):
    name: ClassVar[str] = "gather-pad"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) == "pad":
            return (
                Match(node) if argument(node, "mode") != "constant" and _pads_space(node) else None
            )
        return Match(node) if kind(node) in _PADS or kind(node) == "flip" else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, x = match.node, operand(match.node)
        first = 0 if kind(node) == "flip" else 2
        for axis in range(first, len(shape(node))):
            x = selected(x, axis, probed_indices(node, axis), edit)
        return x


def _pads_space(node: Node) -> bool:
    """Check that neither the batch nor the channels are padded."""
    return len(argument(node, "pad")) <= 2 * (len(shape(node)) - 2)
