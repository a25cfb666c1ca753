"""Choices by a mask, as products with zeros and ones.

    where(m, x, y)          ->   m * x + (1 - m) * y              m as numbers
    masked_fill(x, m, v)    ->   (1 - m) * x + m * v
    x * m                   ->   x * m                            of a mask that was computed

What a mask hides has to be finite. Where one alone is read, an infinity in a constant is added instead: softmax of
`where(m, x, -inf)` is softmax of `x + where(m, 0, -inf)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, is_elementwise, kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten


@dataclass(frozen=True)
class MaskedChoice(Match):
    mask: Node
    chosen: Any  # a node or a number
    other: Any


class MultiplyMasks(Rule[MaskedChoice]):
    name: ClassVar[str] = "multiply-masks"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> MaskedChoice | None:
        if node.op != "call_function" or not isinstance(node.meta.get("val"), torch.Tensor):
            return None
        if not value(node).is_floating_point():
            return None
        if kind(node) == "where" and len(node.args) == 3:
            mask, chosen, other = node.args
        elif kind(node) == "masked_fill":
            other, mask, chosen = (argument(node, name) for name in ("self", "mask", "value"))
        elif kind(node) == "mul":
            mask = next((x for x in node.all_input_nodes if value(x).dtype == torch.bool), None)
            chosen, other = next((x for x in node.args[:2] if x is not mask), None), 0.0
        else:
            return None
        return MaskedChoice(node, mask, chosen, other) if isinstance(mask, Node) else None

    def check(self, match: MaskedChoice, draft: Draft) -> None:
        if _of_one_value(match, draft):
            raise Refused("it is a function of one value")
        for part in (match.chosen, match.other):
            if isinstance(part, Node) and not value(part).is_floating_point():
                raise Refused("it chooses among integers")
        infinite = [_infinite(part, draft) for part in (match.chosen, match.other)]
        if all(infinite) or (any(infinite) and not draft.is_constant(match.mask)):
            raise Refused("it may choose an infinity")

    def rewrite(self, match: MaskedChoice, edit: Edit) -> Node:
        draft = edit.draft
        if _infinite(match.chosen, draft) or _infinite(match.other, draft):
            result = _added(match, edit)
        else:
            ones = edit.call(aten.to.dtype, match.mask, value(match.node).dtype)
            terms = [_times(ones, match.chosen, draft, edit)]
            if not _is_zero(match.other, draft):
                rest = edit.call(aten.sub.Tensor, edit.call(aten.mul.Tensor, ones, -1.0), -1.0)
                terms.append(_times(rest, match.other, draft, edit))
            present = [term for term in terms if term is not None]
            result = present[0] if len(present) == 1 else edit.call(aten.add.Tensor, *present)
        sizes = list(shape(match.node))
        return result if list(shape(result)) == sizes else edit.call(aten.expand.default, result, sizes)  # fmt: skip


def _times(ones: Node, part: Any, draft: Draft, edit: Edit) -> Node | None:
    if _is_zero(part, draft):
        return None
    return edit.call(aten.mul.Tensor, part if isinstance(part, Node) else ones, ones if isinstance(part, Node) else part)  # fmt: skip


def _added(match: MaskedChoice, edit: Edit) -> Node:
    """Add a constant of zeros and infinities to the other part."""
    draft = edit.draft
    first = _infinite(match.chosen, draft)
    infinite, part = (match.chosen, match.other) if first else (match.other, match.chosen)
    mask = draft.tensor(match.mask)
    numbers = draft.tensor(infinite) if isinstance(infinite, Node) else torch.tensor(infinite)
    zeros = torch.zeros((), dtype=value(match.node).dtype)
    hidden = torch.where(mask, numbers, zeros) if first else torch.where(mask, zeros, numbers)
    return edit.call(aten.add.Tensor, part, edit.constant(hidden.to(zeros.dtype), "mask"))


def _infinite(part: Any, draft: Draft) -> bool:
    if isinstance(part, Node):
        return draft.is_constant(part) and bool(draft.tensor(part).isinf().any())
    return math.isinf(part)


def _is_zero(part: Any, draft: Draft) -> bool:
    if isinstance(part, Node):
        return draft.is_constant(part) and not bool(draft.tensor(part).any())
    return part == 0


def _of_one_value(match: MaskedChoice, draft: Draft) -> bool:
    """Check for a mask and parts that are computed from one value, number by number: one table has them all."""
    parts = [x for x in (match.chosen, match.other) if isinstance(x, Node)]
    roots = {root for x in (match.mask, *parts) for root in _roots(x, shape(match.node), draft)}
    return len(roots) == 1 and None not in roots


def _roots(node: Node, sizes: tuple[int, ...], draft: Draft) -> set[Node | None]:
    """Return the values that a node is a function of, number by number; None where it is of constants of many numbers."""
    if draft.is_constant(node):
        return set() if value(node).numel() == 1 else {None}
    if node.op != "call_function" or not is_elementwise(node):
        return {node}
    if tuple(shape(node)) != tuple(sizes):
        return {None}
    inner = {root for x in node.all_input_nodes for root in _roots(x, sizes, draft)}
    if value(node).dtype == torch.bool:
        return inner
    return inner if len(inner) == 1 else {node}
