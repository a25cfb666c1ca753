"""Attention over a stack of stacks as attention over batch and heads, four axes that every
runtime has.

    attention(q [a, b, h, n, d], k, v, mask)   ->   reshape(attention(reshape(q, a * b, h, n, d), ...), a, b, h, n, d)
    attention(q [n, d], k, v, mask)            ->   reshape(attention(reshape(q, 1, 1, n, d), ...), n, d)

A key or a mask that is the same for several of the stacks is expanded first, where it is not the same for all of them. The same
products, over the same numbers.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument
from edgevit.graph.calls import ATTENTION, Attention
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.rule import CallRule, Match, Refused

aten = torch.ops.aten
_AXES = 4


class FlattenAttention(CallRule):
    name: ClassVar[str] = "flatten-attention"
    rtol: ClassVar[float] = 1e-6
    pattern: ClassVar[Pattern] = call(ATTENTION, where=lambda node: len(shape(node)) != _AXES)

    def check(self, match: Match, draft: Draft) -> None:
        if Attention.at(match.node).groups_queries:
            raise Refused("groups of queries share a key")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        stacks = shape(node)[:-2]
        attention = Attention.at(node)
        read = attention.query, attention.key, attention.value, attention.mask
        stacked = [None if one is None else _stacked(one, stacks, edit) for one in read]
        options = {name: argument(node, name) for name in ("dropout_p", "is_causal", "scale")}
        mixed = edit.again(node, *stacked, **options)
        return edit.reshaped(mixed, shape(node))


def _stacked(tensor: Node, stacks: tuple[int, ...], edit: Edit) -> Node:
    """Reshape to two axes before the matrices; of one element each where all matrices are the
    same.
    """
    own, matrix = shape(tensor)[:-2], ([1, 1, *shape(tensor)])[-2:]
    if prod(own) == 1:
        return edit.reshaped(tensor, [1, 1, *matrix])
    if own != stacks:
        tensor = edit.call(aten.expand.default, tensor, [*stacks, *matrix])
    return edit.reshaped(tensor, [prod(stacks[:-1]), stacks[-1], *matrix])
