"""Unusual scale of an attention, applied to its queries.

    attention(q, k, v, scale=s)   ->   attention(q * (s * sqrt(d)), k, v)

Runtimes with an attention of their own know only 1 / sqrt(d). Each query is rounded once more: hence `rtol`.
"""

from __future__ import annotations

from math import sqrt
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.calls import ATTENTION, Attention
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import PRESENT, Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import CallRule, Match

_USUAL = 1e-7  # as near to 1 as the factor is left out


class ScaleQuery(CallRule):
    name: ClassVar[str] = "scale-query"
    rtol: ClassVar[float] = 1e-5
    pattern: ClassVar[Pattern] = call(ATTENTION, scale=PRESENT)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node, attention = match.node, Attention.at(match.node)
        query, scale = attention.query, attention.scale
        assert scale is not None
        factor = scale * sqrt(shape(query)[-1])
        if abs(factor - 1) > _USUAL:
            query = edit.call(torch.ops.aten.mul.Tensor, query, factor)
        others = {name: option for name, option in node.kwargs.items() if name != "scale"}
        return edit.again(node, query, *node.args[1:], **others)
