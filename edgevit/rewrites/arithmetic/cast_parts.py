"""Concatenation of several types, with the parts cast to one: what `cat` and `stack` do
themselves.

    cat(x float, i int64)   ->   cat(x, float(i))

The same values. Converters write a concatenation of several types, which no runtime takes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import value
from edgevit.rewrites.rule import Match, Rule


class CastParts(Rule[Match]):
    name: ClassVar[str] = "cast-parts"

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in {"cat", "stack"}:
            return None
        types = {value(part).dtype for part in argument(node, "tensors")}
        return Match(node) if types != {value(node).dtype} else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        dtype = value(node).dtype
        parts = [
            part
            if value(part).dtype == dtype
            else edit.call(torch.ops.aten._to_copy.default, part, dtype=dtype)
            for part in argument(node, "tensors")
        ]
        return edit.again(node, parts, argument(node, "dim"))
