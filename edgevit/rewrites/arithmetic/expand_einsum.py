"""Einsum of one or two operands as permutes, reshapes and one batched matrix product.

    einsum("bhqd,bhkd->bhqk", x, y)   ->   reshape(bmm(reshape(permute(x)), reshape(permute(y))))

Every letter is of the stack (in both operands and the result), summed (in both, not in the result), of the rows or of
the columns; letters of one operand alone that the result lacks are summed beforehand. Sums are added in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand_list
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten


@dataclass(frozen=True)
class Equation(Match):
    terms: tuple[str, ...]
    result: str
    operands: tuple[Node, ...]


class ExpandEinsum(Rule[Equation]):
    name: ClassVar[str] = "expand-einsum"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Equation | None:
        if kind(node) != "einsum":
            return None
        equation, operands = str(node.args[0]).replace(" ", ""), tuple(operand_list(node, 1))
        operand_terms, arrow, result = equation.partition("->")
        terms = tuple(operand_terms.split(","))
        if not arrow:
            letters = operand_terms.replace(",", "")
            result = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
        return Equation(node, terms, result, operands)

    def check(self, match: Equation, draft: Draft) -> None:
        if len(match.terms) > 2:
            raise Refused("it has more than two operands")
        if "." in "".join(match.terms):
            raise Refused("it has an ellipsis")
        if any(len(set(term)) < len(term) for term in (*match.terms, match.result)):
            raise Refused("it reads a diagonal")
        sizes: dict[str, int] = {}
        for term, tensor in zip(match.terms, match.operands, strict=True):
            for letter, size in zip(term, shape(tensor), strict=True):
                if sizes.setdefault(letter, size) != size:
                    raise Refused("it broadcasts an axis")

    def rewrite(self, match: Equation, edit: Edit) -> Node:
        parts = [_summed(place, tensor, match, edit) for place, tensor in enumerate(match.operands)]
        if len(parts) == 1:
            ((source, letters),) = parts
            return _ordered(source, letters, match.result, edit)
        return _product(parts[0], parts[1], match.result, edit)


def _summed(place: int, tensor: Node, match: Equation, edit: Edit) -> tuple[Node, str]:
    """Sum over the letters of one operand that neither the other nor the result has."""
    term = match.terms[place]
    others = match.result + "".join(t for k, t in enumerate(match.terms) if k != place)
    gone = [axis for axis, letter in enumerate(term) if letter not in others]
    letters = "".join(letter for letter in term if letter in others)
    return (edit.call(aten.sum.dim_IntList, tensor, gone) if gone else tensor), letters


def _product(left: tuple[Node, str], right: tuple[Node, str], result: str, edit: Edit) -> Node:
    (x, a), (y, b) = left, right
    stack = [c for c in a if c in b and c in result]
    summed = [c for c in a if c in b and c not in result]
    rows, columns = ([c for c in term if c not in other] for term, other in ((a, b), (b, a)))
    sizes = {**dict(zip(a, shape(x), strict=True)), **dict(zip(b, shape(y), strict=True))}

    def matrix(source: Node, term: str, first: list[str], second: list[str]) -> Node:
        transposed = _ordered(source, term, "".join([*stack, *first, *second]), edit)
        counts = [prod(sizes[c] for c in part) for part in (stack, first, second)]
        return edit.call(aten.reshape.default, transposed, counts)

    stacked = edit.call(aten.bmm.default, matrix(x, a, rows, summed), matrix(y, b, summed, columns))
    letters = "".join([*stack, *rows, *columns])
    apart = edit.call(aten.reshape.default, stacked, [sizes[c] for c in letters])
    return _ordered(apart, letters, result, edit)


def _ordered(source: Node, letters: str, order: str, edit: Edit) -> Node:
    if letters == order:
        return source
    return edit.call(aten.permute.default, source, [letters.index(c) for c in order])
