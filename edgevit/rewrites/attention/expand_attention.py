"""Scaled dot-product attention as two batched products and a softmax, of three dimensions
each.

    attention(q, k, v, mask)   ->   bmm(softmax(bmm(q * scale, k^T) + mask), v)

The runtimes' own expansion guards every row against being masked as a whole: an eq, a not, an any, a full and a where
that no delegate takes. Here no row is: it is seen from the mask, or `guard-attention` has opened those that may be. Batch and heads are one axis, so no product has to
expand its operands, and no softmax has four axes.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.calls import ATTENTION, Attention
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape, value
from edgevit.rewrites.attention.masks import may_close
from edgevit.rewrites.rule import CallRule, Match, Refused, made_by_rule

_RESHAPE = torch.ops.aten.reshape.default


class ExpandAttention(CallRule):
    name: ClassVar[str] = "expand-attention"
    rtol: ClassVar[float] = 1e-5
    pattern: ClassVar[Pattern] = call(ATTENTION)

    def check(self, match: Match, draft: Draft) -> None:
        attention = Attention.at(match.node)
        if attention.dropout:
            raise Refused("it drops values at random")
        if attention.groups_queries:
            raise Refused("groups of queries share a key")
        read = attention.query, attention.key, attention.value
        if len({shape(one)[:-2] for one in read}) > 1:
            raise Refused("queries, keys and values have other batches")
        if attention.mask is None or made_by_rule(match.node, "guard-attention"):
            return
        if may_close(attention.mask, draft):
            raise Refused("the mask may leave a row with nothing")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        attention = Attention.at(match.node)
        query, key, content = attention.query, attention.key, attention.value
        batch, length, width = math.prod(shape(query)[:-2]), *shape(query)[-2:]
        keys, depth = shape(key)[-2], shape(content)[-1]
        q = edit.reshaped(_scaled_query(attention, edit), [batch, length, width])
        k = edit.reshaped(key, [batch, keys, width])
        transposed = edit.call(torch.ops.aten.permute.default, k, [0, 2, 1])
        scores = edit.call(torch.ops.aten.bmm.default, q, transposed)
        for mask in _masks(attention, edit, length, keys):
            scores = _added(scores, mask, [*shape(query)[:-1], keys], edit)
        weights = edit.call(torch.ops.aten.softmax.int, scores, -1)
        v = edit.reshaped(content, [batch, keys, depth])
        mixed = edit.call(torch.ops.aten.bmm.default, weights, v)
        return edit.reshaped(mixed, list(shape(match.node)))


def _scaled_query(attention: Attention, edit: Edit) -> Node:
    query, scale = attention.query, attention.scale
    scale = 1 / math.sqrt(shape(query)[-1]) if scale is None else scale
    return query if scale == 1 else edit.call(torch.ops.aten.mul.Tensor, query, scale)


def _masks(attention: Attention, edit: Edit, length: int, keys: int) -> list[Node]:
    """Return the addends of the scores."""
    addends: list[Node] = []
    mask, dtype = attention.mask, value(attention.node).dtype
    if mask is not None:
        addends.append(_constant_mask(mask, dtype, edit) if edit.draft.is_constant(mask) else _computed_mask(mask, dtype, edit))  # fmt: skip
    if attention.is_causal:
        ahead = torch.ones(length, keys).triu(1).bool()
        tensor = torch.zeros(length, keys, dtype=dtype).masked_fill_(ahead, -math.inf)
        addends.append(edit.constant(tensor, "causal"))
    return addends


def _constant_mask(mask: Node, dtype: torch.dtype, edit: Edit) -> Node:
    tensor = edit.draft.tensor(mask)
    if tensor.dtype == torch.bool:
        tensor = torch.zeros(tensor.shape, dtype=dtype).masked_fill_(~tensor, -math.inf)
    return edit.constant(tensor.to(dtype), "mask")


def _computed_mask(mask: Node, dtype: torch.dtype, edit: Edit) -> Node:
    if value(mask).dtype != torch.bool:
        return mask if value(mask).dtype == dtype else edit.call(torch.ops.aten.to.dtype, mask, dtype)  # fmt: skip
    seen = edit.constant(torch.zeros((), dtype=dtype), "seen")
    hidden = edit.constant(torch.full((), -math.inf, dtype=dtype), "hidden")
    return edit.call(torch.ops.aten.where.self, mask, seen, hidden)


def _added(scores: Node, mask: Node, whole: list[Any], edit: Edit) -> Node:
    """Add a mask to the scores.

    `whole` is the shape of the scores with batch and heads apart, which the mask is broadcast to.
    """
    add = torch.ops.aten.add.Tensor
    if math.prod(shape(mask)[:-2]) == 1:
        rows, columns = ([1, 1, *shape(mask)])[-2:]
        return edit.call(add, scores, edit.reshaped(mask, [1, rows, columns]))
    apart = edit.call(add, edit.call(_RESHAPE, scores, whole), mask)
    return edit.call(_RESHAPE, apart, list(shape(scores)))
