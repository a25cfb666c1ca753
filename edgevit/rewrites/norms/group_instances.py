"""Norms of each channel of each image, as group norms of one channel a group.

instance_norm(x, weight, bias, eps)   ->   group_norm(x, channels, weight, bias, eps)
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import Match, Refused, Rule


class GroupInstances(Rule[Match]):
    name: ClassVar[str] = "group-instances"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if kind(node) == "instance_norm" else None

    def check(self, match: Match, draft: Draft) -> None:
        if not argument(match.node, "use_input_stats"):
            raise Refused("it normalises by stored statistics")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        weight, bias = argument(node, "weight"), argument(node, "bias")
        return edit.call(
            torch.ops.aten.group_norm.default, operand(node), shape(node)[1], weight, bias, argument(node, "eps"),
        )  # fmt: skip
