"""Queries of linear attention, each of the same length.

    p = q @ m;  p[..., :-1] / (p[..., -1:] + eps)   ->   the same of rms_norm(q) @ m

A factor of a query goes through the product, and is gone in the quotient. Without it the divisors of all queries are
alike, which 8 bits need: short queries have small ones, whose steps and reciprocals are coarse. `eps` does not get the
factor: where it shows in the example's outputs, nothing is rewritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, op, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.attention.slice_product import PRODUCTS
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_PARTS = RESHAPES | {"slice"}
_LARGEST = 1e-3  # of what is added to a divisor
_NONE = 1e-12  # beside a mean of squares


@dataclass(frozen=True)
class Quotients(Match):
    added: float  # to the divisor, at most
    least: float


class NormaliseQueries(Rule[Quotients]):
    name: ClassVar[str] = "normalise-queries"
    rtol: ClassVar[float] = 1e-5
    assumes: ClassVar[str] = "what is added to a divisor is small beside it"

    def match(self, node: Node, draft: Draft) -> Quotients | None:
        if kind(node) not in PRODUCTS or kind(operand(node)) == "rms_norm":
            return None
        parts = {(reader, part): added for reader, part, added in _readers(node)}
        quotients = {reader for reader, _ in parts}
        if not quotients or not all(_is_of(quotient, parts) for quotient in quotients):
            return None
        return Quotients(node, max(parts.values()), min(parts.values()))

    def check(self, match: Quotients, draft: Draft) -> None:
        left, right = match.node.args
        if any(draft.is_constant(side) for side in (left, right)):
            raise Refused("one of its sides is a weight, which takes the scale of a channel in")
        if match.least < 0 or match.added > _LARGEST:
            raise Refused(f"{match.added:g} is added to the divisor, which is no small number")

    def rewrite(self, match: Quotients, edit: Edit) -> Node:
        queries, keys = match.node.args
        assert isinstance(queries, Node)
        width = [shape(queries)[-1]]
        alike = edit.call(aten.rms_norm.default, queries, width, None, _NONE)
        return edit.again(match.node, alike, _of_like_heads(keys, edit))


def _is_of(node: Node, parts: Mapping[tuple[Node, Node], float]) -> bool:
    """Check for a quotient of two parts, with nothing added to the dividend."""
    if op(node) != "div.Tensor":
        return False
    dividend, divisor = node.args
    return (
        isinstance(dividend, Node)
        and isinstance(divisor, Node)
        and parts.get((node, dividend)) == 0
        and (node, divisor) in parts
    )


def _of_like_heads(keys: Any, edit: Edit) -> Any:
    """Norm what is summed over tokens, head by head, where nothing else reads the sums."""
    if kind(keys) not in PRODUCTS or len(keys.users) > 1 or kind(operand(keys)) == "rms_norm":
        return keys
    left, right = keys.args
    size = list(shape(left)[-2:])
    return edit.again(keys, edit.call(aten.rms_norm.default, left, size, None, _NONE), right)


def _readers(node: Node, added: float = 0.0) -> Iterator[tuple[Node, Node, float]]:
    """Yield what reads parts of the last axis, the part, and the number that is added to it before."""
    for user in node.users:
        number = _number_added(user, node)
        if number is not None:
            yield from _readers(user, added + number)
        elif kind(user) in _PARTS and _keeps_rows(user, node):
            yield from _readers(user, added)
        else:
            yield user, node, added


def _keeps_rows(part: Node, node: Node) -> bool:
    """Check for a slice of the last axis, or a reshape of the others."""
    if kind(part) == "slice":
        return shape(part)[:-1] == shape(node)[:-1]
    return shape(part)[-1] == shape(node)[-1] and value(part).numel() == value(node).numel()


def _number_added(node: Node, term: Node) -> float | None:
    other: Any = node.args[1] if kind(node) == "add" and node.args[0] is term else None
    return float(other) if isinstance(other, int | float) else None
