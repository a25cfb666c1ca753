"""Padding with a constant, as a concatenation with constants.

    pad(x [2, 3, 4], (0, 1), value=5)   ->   cat([x, full([2, 3, 1], 5)], 2)

What only convolutions and pools read stays: runtimes fold such a padding into them. The same values.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import SAME_VALUES, Match, Refused, Rule

aten = torch.ops.aten
_READERS = frozenset({"conv1d", "conv2d", "max_pool2d", "avg_pool2d", "max_pool2d_with_indices"})
_LARGEST = 1 << 22  # numbers of the constants


class ConcatPad(Rule[Match]):
    name: ClassVar[str] = "concat-pad"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) == "constant_pad_nd":
            return Match(node)
        is_constant = kind(node) == "pad" and argument(node, "mode") == "constant"
        return Match(node) if is_constant else None

    def check(self, match: Match, draft: Draft) -> None:
        node = match.node
        if all(kind(user) in _READERS for user in node.users):
            raise Refused("convolutions and pools pad themselves")
        if min(argument(node, "pad")) < 0:
            raise Refused("it cuts off as well")
        if value(node).numel() - value(operand(node)).numel() > _LARGEST:
            raise Refused("its constants would be large")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, x = match.node, operand(match.node)
        amounts = argument(node, "pad")
        number = argument(node, "value") or 0
        for step in range(len(amounts) // 2):
            axis = len(shape(node)) - 1 - step
            around = [
                _full(x, axis, many, number, edit) for many in amounts[2 * step : 2 * step + 2]
            ]
            parts = [part for part in (around[0], x, around[1]) if part is not None]
            if len(parts) > 1:
                x = edit.call(aten.cat.default, parts, axis)
        return x


def _full(x: Node, axis: int, many: int, number: float, edit: Edit) -> Node | None:
    if not many:
        return None
    sizes = [many if k == axis else size for k, size in enumerate(shape(x))]
    return edit.constant(torch.full(sizes, number, dtype=value(x).dtype), "border")
