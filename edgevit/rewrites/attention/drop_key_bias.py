"""Removal of the key bias of an attention.

It adds the same number to all scores of a query and cancels in the softmax.

    attention(q, views(linear(x, W, b)), v)   ->   attention(q, views(linear(x, W)), v)

q . (k + b) = q . k + q . b, and softmax(s + c) = softmax(s). It saves the addition, and an outlier to those who quantize.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, run_call
from edgevit.graph.calls import Attention
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.linear_calls import called_with, channel_axis, is_projection
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.rule import Match, Refused, Rule

_VIEWS = RESHAPES | {"permute", "transpose"}


@dataclass(frozen=True)
class Keys(Match):
    """Projection of the keys. `node` is the projection."""

    views: tuple[Node, ...]


class DropKeyBias(Rule[Keys]):
    name: ClassVar[str] = "drop-key-bias"
    rtol: ClassVar[float] = 1e-5
    after: ClassVar[tuple[str, ...]] = ("split-projection",)

    def match(self, node: Node, draft: Draft) -> Keys | None:
        if not is_projection(node, draft) or argument(node, "bias") is None:
            return None
        views = _views_to_keys(node)
        return None if views is None else Keys(node, views)

    def check(self, match: Keys, draft: Draft) -> None:
        """Refuse views that mix channels and keys: the channel of a number must not depend on
        its key.
        """
        sizes, axis = shape(match.node), channel_axis(match.node)
        channels = torch.arange(sizes[axis]).reshape(
            [-1 if a == axis else 1 for a in range(len(sizes))]
        )
        labels = channels.expand(sizes)
        for view in match.views:
            labels = run_call(view, labels, *view.args[1:], **view.kwargs)
        if not bool((labels == labels[..., :1, :]).all()):
            raise Refused("the views on the way mix channels and keys")

    def rewrite(self, match: Keys, edit: Edit) -> Node:
        weight = edit.draft.tensor(argument(match.node, "weight"))
        return called_with(match.node, weight, None, edit)


def _views_to_keys(projection: Node) -> tuple[Node, ...] | None:
    """Return the views between a projection and the attention whose keys it makes; None if
    anything else reads it.
    """
    node, views = projection, list[Node]()
    while len(node.users) == 1:
        (user,) = node.users
        attention = Attention.of(user)
        if attention is not None:
            others = attention.query, attention.value
            return tuple(views) if attention.key is node and node not in others else None
        if kind(user) not in _VIEWS or operand(user) is not node:
            return None
        views.append(user)
        node = user
    return None
