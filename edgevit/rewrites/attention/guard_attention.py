"""Zeros for a query whose mask hides every key, as in PyTorch.

    attention(q, k, v, mask)   ->   where(seen, attention(q, k, v, mask or not seen), 0)     seen = any(mask, -1)

Runtimes give such a query NaN, or the mean of all values. Its row of the mask is opened, so that no
softmax meets a row of minus infinities, and its result is discarded. A mask that is added is closed
where all of a row is minus infinity. The attention of the other queries adds the same numbers,
perhaps in another kernel: hence `rtol`.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import node_argument
from edgevit.graph.calls import Attention
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import value
from edgevit.rewrites.attention.masks import may_close, rows_that_see
from edgevit.rewrites.rule import Match, Refused, Rule, made_by_rule

aten = torch.ops.aten


class GuardAttention(Rule[Match]):
    name: ClassVar[str] = "guard-attention"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Match | None:
        attention = Attention.of(node)
        if attention is None or attention.mask is None or made_by_rule(node, self.name):
            return None
        return Match(node) if may_close(attention.mask, draft) else None

    def check(self, match: Match, draft: Draft) -> None:
        mask = node_argument(match.node, "attn_mask")
        if draft.is_constant(mask) and bool(draft.tensor(mask).isnan().any()):
            raise Refused("the mask is not a number in places")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        mask = node_argument(node, "attn_mask")
        seen, opened = _opened_constant(mask, edit) if edit.draft.is_constant(mask) else _opened(mask, edit)  # fmt: skip
        guarded = edit.copied(node, lambda source: opened if source is mask else source)
        nothing = edit.constant(torch.zeros((), dtype=value(node).dtype), "nothing")
        return edit.call(aten.where.self, seen, guarded, nothing)


def _opened_constant(mask: Node, edit: Edit) -> tuple[Node, Node]:
    tensor = edit.draft.tensor(mask)
    seen = rows_that_see(tensor)
    opened = tensor | ~seen if tensor.dtype == torch.bool else tensor.where(seen, 0.0)
    return edit.constant(seen, "seen"), edit.constant(opened, "mask")


def _opened(mask: Node, edit: Edit) -> tuple[Node, Node]:
    """Return which queries see a key, and the mask opened for the others.

    It uses maxima, which every runtime has; not all of them know `any`.
    """
    if value(mask).dtype == torch.bool:
        as_numbers = edit.call(aten.to.dtype, mask, torch.float32)
        seen = edit.call(aten.gt.Scalar, edit.call(aten.amax.default, as_numbers, [-1], True), 0)
        return seen, edit.call(aten.logical_or.default, mask, edit.call(aten.logical_not.default, seen))  # fmt: skip
    seen = edit.call(aten.ne.Scalar, edit.call(aten.amax.default, mask, [-1], True), -math.inf)
    open_row = edit.constant(torch.zeros((), dtype=value(mask).dtype), "open")
    return seen, edit.call(aten.where.self, seen, mask, open_row)
