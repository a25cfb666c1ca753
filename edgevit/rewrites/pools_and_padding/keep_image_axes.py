"""Means over the places of an image that drop the two axes, as means that keep them.

    mean(x, [2, 3])   ->   reshape(mean(x, [2, 3], keepdim=True))        x: N x C x H x W

A converter that puts channels last knows the second form alone; the first is left reducing the last axis.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

aten = torch.ops.aten


class KeepImageAxes(Rule[Match]):
    name: ClassVar[str] = "keep-image-axes"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) != "mean" or len(shape(node)) != 2 or len(shape(operand(node))) != 4:
            return None
        axes = sorted(axis % 4 for axis in argument(node, "dim") or ())
        return Match(node) if axes == [2, 3] and argument(node, "dtype") is None else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        mean = edit.call(aten.mean.dim, operand(match.node), [2, 3], True)
        return edit.reshaped(mean, shape(match.node))
