"""Recognition of the attention blocks of a plain token transformer.

x + views(linear(attention(q, k, v))),   q, k, v = views(linear(layer_norm(x))),   x of batch x tokens x channels
"""

from __future__ import annotations

from dataclasses import dataclass

from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft
from edgevit.graph.program import shape
from edgevit.rewrites.lossy.head_rows import VIEWS
from edgevit.rewrites.rule import Refused

NORMS = frozenset({"layer_norm", "rms_norm"})
_BEFORE = VIEWS | NORMS | {"linear", "mul", "div", "add"}  # norms of queries and keys, and scales
_AFTER = VIEWS | NORMS | {"linear", "mul", "add"}


@dataclass(frozen=True)
class TokenBlock:
    attention: Node
    queries: Node
    keys: Node  # batch x heads x tokens x channels
    total: Node  # the sum of residual stream and attention


def block_of(attention: Node, draft: Draft) -> TokenBlock:
    """Return the block of an attention; raise `Refused` for another form."""
    query, keys = attention.args[0], attention.args[1]
    assert isinstance(query, Node) and isinstance(keys, Node)
    if len(shape(query)) != 4 or len(shape(keys)) != 4:
        raise Refused("its queries are not batch x heads x tokens x channels")
    if shape(query)[-2] != shape(keys)[-2]:
        raise Refused("its queries and keys are of different tokens")
    total, stream = _residual(attention, draft)
    batch, _, tokens, _ = shape(query)
    if len(shape(total)) != 3 or shape(total)[:2] != (batch, tokens):
        raise Refused("it does not look at all tokens of a batch x tokens x channels stream")
    _require_norm(keys, stream)
    return TokenBlock(attention, query, keys, total)


def _residual(attention: Node, draft: Draft) -> tuple[Node, Node]:
    """Return the sum that the attention's result goes into, and the other term."""
    node = attention
    while True:
        if len(node.users) != 1:
            raise Refused("its result is read more than once before the residual sum")
        (user,) = node.users
        other = _other_term(user, node, draft)
        if other is not None:
            return user, other
        if kind(user) not in _AFTER or node not in user.args[:2]:
            name = kind(user) or user.op
            raise Refused(f"`{name}` stands between it and a residual sum")
        node = user


def _other_term(total: Node, node: Node, draft: Draft) -> Node | None:
    if kind(total) != "add" or len(total.args) < 2 or total.kwargs:
        return None
    other = total.args[1] if total.args[0] is node else total.args[0]
    if not isinstance(other, Node) or other is node or draft.is_constant(other):
        return None
    return other if shape(other) == shape(node) else None


def _require_norm(keys: Node, stream: Node) -> None:
    node = keys
    while not (kind(node) in NORMS and operand(node) is stream):
        if node is stream:
            raise Refused("no norm stands before its projections")
        if kind(node) not in _BEFORE:
            name = kind(node) or node.op
            raise Refused(f"its keys come from `{name}`, not from a norm of the residual stream")
        node = operand(node)
