"""Columns of a product as a product of columns, where parts of it are all that is read.

    (a @ b)[..., s:e]                    ->   a @ b[..., s:e]
    (a @ pad(b, (0, 1), value=c))[..., -1:]   ->   c * sum(a, -1)

In linear attention one column is the divisor of the others: beside them it would take their grid. Sums have another
order: hence `rtol`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.layout.name_views import sliced
from edgevit.rewrites.rule import Match, Rule

aten = torch.ops.aten
PRODUCTS = frozenset({"matmul", "bmm"})


@dataclass(frozen=True)
class Columns(Match):
    product: Node
    start: int
    end: int


class SliceProduct(Rule[Columns]):
    name: ClassVar[str] = "slice-product"
    rtol: ClassVar[float] = 1e-5
    after: ClassVar[tuple[str, ...]] = ("normalise-queries",)

    def match(self, node: Node, draft: Draft) -> Columns | None:
        if not is_columns(node):
            return None
        product = _before_reshapes(operand(node))
        if kind(product) not in PRODUCTS or any(map(draft.is_constant, product.args[:2])):
            return None
        if not all(map(is_columns, readers_of_rows(product))):
            return None
        start = argument(node, "start") or 0
        start += shape(product)[-1] if start < 0 else 0
        return Columns(node, product, start, start + shape(node)[-1])

    def rewrite(self, match: Columns, edit: Edit) -> Node:
        left, right = operand(match.product), operand(match.product, 1)
        number = _padded_with(right, match)
        if number is None:
            part = _columns(right, match, edit)
            product = edit.again(match.product, left, part)
        else:
            product = edit.call(aten.sum.dim_IntList, left, [-1], True)
            product = edit.call(aten.mul.Tensor, product, number) if number != 1 else product
        sizes = list(shape(match.node))
        return product if list(shape(product)) == sizes else edit.call(aten.reshape.default, product, sizes)  # fmt: skip


def is_columns(node: Node) -> bool:
    """Check for a slice of the last axis, of neighbours."""
    if kind(node) != "slice" or argument(node, "step") != 1:
        return False
    return argument(node, "dim") % len(shape(node)) == len(shape(node)) - 1


def readers_of_rows(node: Node) -> Iterator[Node]:
    """Yield what reads a value, through reshapes that keep its last axis."""
    for user in node.users:
        if _keeps_rows(user):
            yield from readers_of_rows(user)
        else:
            yield user


def _before_reshapes(node: Node) -> Node:
    while _keeps_rows(node):
        node = operand(node)
    return node


def _keeps_rows(node: Node) -> bool:
    return kind(node) in RESHAPES and shape(node)[-1:] == shape(operand(node))[-1:]


def _pads_columns(node: Node) -> bool:
    """Check for a pad with a number, behind the last column."""
    if kind(node) not in {"pad", "constant_pad_nd"}:
        return False
    constant = kind(node) == "constant_pad_nd" or argument(node, "mode") == "constant"
    before, after, *others = argument(node, "pad")
    return constant and before == 0 and after > 0 and not any(others)


def _padded_with(right: Node, match: Columns) -> float | None:
    """Return the number that a single column consists of; None where it is computed."""
    right = _before_reshapes(right)
    if not _pads_columns(right) or match.start < shape(operand(right))[-1]:
        return None
    return float(argument(right, "value") or 0.0) if match.end - match.start == 1 else None


def _columns(node: Node, match: Columns, edit: Edit) -> Node:
    if _keeps_rows(node):
        part = _columns(operand(node), match, edit)
        sizes = [*shape(node)[:-1], match.end - match.start]
        return part if list(shape(part)) == sizes else edit.call(aten.reshape.default, part, sizes)
    if _pads_columns(node) and match.end <= shape(operand(node))[-1]:
        return _columns(operand(node), match, edit)
    whole = match.start == 0 and match.end == shape(node)[-1]
    return node if whole else sliced(node, len(shape(node)) - 1, match.start, match.end, edit)
