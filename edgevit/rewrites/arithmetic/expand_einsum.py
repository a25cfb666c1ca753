"""Einsum as permutes, reshapes and a batched matrix product for each operand behind the first.

    einsum("bhqd,bhkd->bhqk", x, y)   ->   reshape(bmm(reshape(permute(x)), reshape(permute(y))))
    einsum("...d,dn,...n->...", x, y, z)   ->   einsum("...n,...n->...", einsum("...d,dn->...n", x, y), z)

Every letter is of the stack (in both operands and the result), summed (in both, not in the result), of the rows or of
the columns; letters of one operand alone that the result lacks are summed beforehand. Sums are added in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from string import ascii_letters
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
        terms = operand_terms.split(",")
        if not arrow:
            letters = operand_terms.replace(",", "").replace(".", "")
            dots = "..." if "." in operand_terms else ""
            result = dots + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
        ranks = [len(shape(tensor)) for tensor in operands]
        *terms, result = _without_dots(terms, result, ranks)
        return Equation(node, tuple(terms), result, operands)

    def check(self, match: Equation, draft: Draft) -> None:
        if any(len(set(term)) < len(term) for term in (*match.terms, match.result)):
            raise Refused("it reads a diagonal")
        sizes: dict[str, int] = {}
        for term, tensor in zip(match.terms, match.operands, strict=True):
            for letter, size in zip(term, shape(tensor), strict=True):
                if sizes.setdefault(letter, size) != size:
                    raise Refused("it broadcasts an axis")

    def rewrite(self, match: Equation, edit: Edit) -> Node:
        parts = [_summed(place, tensor, match, edit) for place, tensor in enumerate(match.operands)]
        (source, letters), *others = parts
        for place, (other, term) in enumerate(others, 1):
            later = match.result + "".join(term for _, term in parts[place + 1 :])
            between = "".join(c for c in dict.fromkeys(letters + term) if c in later)
            between = match.result if place == len(others) else between
            source = _product((source, letters), (other, term), between, edit)
            letters = between
        return _ordered(source, letters, match.result, edit)


def _without_dots(terms: list[str], result: str, ranks: list[int]) -> list[str]:
    """Name the axes of each ellipsis, from the last; that of the result has all of them."""
    unused = [c for c in ascii_letters if c not in "".join([*terms, result])]
    counts = [
        rank - len(term.replace("...", "")) if "." in term else 0
        for term, rank in zip(terms, ranks, strict=True)
    ]
    most = max(counts)
    return [
        term.replace("...", "".join(unused[most - count : most]))
        for term, count in zip([*terms, result], [*counts, most], strict=True)
    ]


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
