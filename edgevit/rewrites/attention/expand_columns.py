"""Attention with queries, keys and values stored by columns, as products; rows would have to
be copied.

    attention(q^T, k^T, v^T)   ->   softmax(q^T @ k) @ v^T

For runtimes with an attention of their own that takes rows.
"""

from __future__ import annotations

from torch.fx.node import Node

from edgevit.graph.aten import argument, kind
from edgevit.graph.edit import Draft
from edgevit.graph.program import shape
from edgevit.rewrites.attention.expand_attention import ExpandAttention
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.rule import Match


class ExpandColumns(ExpandAttention):
    def match(self, node: Node, draft: Draft) -> Match | None:
        match = super().match(node, draft)
        sides = (argument(node, name) for name in ("query", "key", "value")) if match else ()
        return match if match and all(_is_swap(side) for side in sides) else None


def _is_swap(node: Node) -> bool:
    if kind(node) != "permute":
        return False
    last = len(shape(node)) - 1
    return permutation_of(node) == [*range(last - 1), last, last - 1]
