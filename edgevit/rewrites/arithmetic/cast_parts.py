"""Concatenation of several types, with the parts cast to one: what `cat` and `stack` do
themselves.

    cat(x float, i int64)   ->   cat(x, float(i))

The same values. Converters write a concatenation of several types, which no runtime takes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import value
from edgevit.rewrites.rule import CallRule, Match


def _has_other_types(node: Node) -> bool:
    return {value(part).dtype for part in argument(node, "tensors")} != {value(node).dtype}


class CastParts(CallRule):
    name: ClassVar[str] = "cast-parts"
    pattern: ClassVar[Pattern] = call("cat", "stack", where=_has_other_types)

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
