"""Products with one-hot rows, as rows taken or added by their places.

    one_hot(i) = (i[..., None] == arange(n))
    one_hot(i) @ x                           ->   gather(x, i)
    one_hot(i) @ one_hot(j)                  ->   one_hot(gather(j, i))
    x + one_hot(i)^T @ y                     ->   scatter_add(x, i, y)
    cat(first rows of 1, one_hot(i), w) @ x  ->   cat(first rows of x, gather(x, i), w @ x)

For a device where moving a row costs less than multiplying all of them. A sum of a row and of products with 0 is that row;
scattered rows are added in another order, hence `rtol`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, operand_list
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.layout.name_views import permutation_of, sliced
from edgevit.rewrites.rule import Match, Rule

aten = torch.ops.aten
_PRODUCTS = frozenset({"bmm", "matmul"})
_MOVES = frozenset({"reshape", "view", "slice", "expand", "unsqueeze", "squeeze", "flatten"})
_ORDERS = frozenset({"topk", "sort", "max", "min"})


@dataclass(frozen=True)
class PickedRows:
    places: Node  # 1 x rows, in any shape
    first: int  # the place that column 0 stands for
    rows: int

    def spread(self, like: Node, edit: Edit) -> Node:
        """Return the places as rows of what they pick from."""
        column = edit.reshaped(self.places, [1, self.rows, 1])
        if self.first:
            column = edit.call(aten.add.Tensor, column, -self.first)
        width = shape(like)[2]
        return edit.call(aten.expand.default, column, [1, self.rows, width]) if width > 1 else column  # fmt: skip


@dataclass(frozen=True)
class Product(Match):
    left: Node
    right: Node
    into: Node | None = None  # what it is added to


class GatherOneHot(Rule[Product]):
    name: ClassVar[str] = "gather-one-hot"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Product | None:
        if kind(node) == "add":
            return _scattered_sum(node, draft)
        if kind(node) not in _PRODUCTS or len(shape(node)) != 3 or shape(node)[0] != 1:
            return None
        match = Product(node, operand(node), operand(node, 1))
        if one_hot(match.left, draft) is not None or _parts(match.left, draft):
            return match
        is_scattered = _turned(match.left, draft) is not None
        return match if is_scattered and not _is_added(node) else None

    def rewrite(self, match: Product, edit: Edit) -> Node:
        left, right, draft = match.left, match.right, edit.draft
        if parts := _parts(left, draft):
            pieces = [_times(part, right, edit) for part in parts]
            return edit.call(aten.cat.default, pieces, 1)
        if (picked := one_hot(left, draft)) is not None:
            return _picked(picked, right, edit)
        turned = _turned(left, draft)
        assert turned is not None
        zeros = torch.zeros(shape(match.node), dtype=value(right).dtype)
        into = match.into or edit.constant(zeros, "into")
        return edit.call(aten.scatter_add.default, into, 1, turned.spread(right, edit), right)


def _picked(picked: PickedRows, right: Node, edit: Edit) -> Node:
    """Return the rows of `right`; of one-hot rows, those of the places that were picked."""
    rows = one_hot(right, edit.draft)
    if rows is None:
        return edit.call(aten.gather.default, right, 1, picked.spread(right, edit))
    column = edit.reshaped(rows.places, [1, rows.rows, 1])
    chosen = edit.call(aten.gather.default, column, 1, picked.spread(column, edit))
    compared = _before_cast(right)
    again = edit.call(aten.eq.Tensor, chosen, operand(compared, 1))
    return edit.call(aten.to.dtype, again, value(right).dtype)


def _times(part: Node, right: Node, edit: Edit) -> Node:
    """Return the product of some rows: the first of `right` where they are constant."""
    if edit.draft.is_constant(part):
        return sliced(right, 1, 0, shape(part)[1], edit)
    return edit.call(aten.matmul.default, part, right)


def one_hot(node: Node, draft: Draft) -> PickedRows | None:
    """Read one-hot rows of computed places, each of which has a column."""
    compared = _before_cast(node)
    if kind(compared) != "eq" or not draft.is_constant(compared.args[1]):
        return None
    column, numbers = operand(compared), draft.tensor(operand(compared, 1))
    is_column = len(shape(column)) == 3 and shape(column)[::2] == (1, 1)
    if not is_column or numbers.shape[-1] != numbers.numel() or numbers.is_floating_point():
        return None
    first, columns, limit = int(numbers.ravel()[0]), numbers.numel(), _places_below(column)
    every = torch.arange(first, first + columns, dtype=numbers.dtype)
    if limit is None or not torch.equal(numbers.ravel(), every) or not first <= 0 < limit <= first + columns:  # fmt: skip
        return None
    return PickedRows(column, first, shape(column)[1])


def _before_cast(node: Node) -> Node:
    while kind(node) in {"to", "_to_copy"}:
        node = operand(node)
    return node


def _places_below(node: Node) -> int | None:
    """Return what all places of a value are below, none of them negative; None where that is unknown."""
    if kind(node) in _MOVES | {"gather"}:
        return _places_below(operand(node))
    if kind(node) == "getitem" and kind(operand(node)) in _ORDERS:
        return _length(operand(node)) if node.args[1] == 1 else None
    return _length(node) if kind(node) in {"argmax", "argmin", "argsort"} else None


def _length(order: Node) -> int | None:
    dim = argument(order, "dim")
    return shape(operand(order))[dim] if isinstance(dim, int) else None


def _turned(node: Node, draft: Draft) -> PickedRows | None:
    """Read transposed one-hot rows."""
    if kind(node) not in {"permute", "transpose", "mT"} or permutation_of(node) != [0, 2, 1]:
        return None
    return one_hot(operand(node), draft)


def _is_added(node: Node) -> bool:
    return len(node.users) == 1 and all(kind(user) == "add" and shape(user) == shape(node) for user in node.users)  # fmt: skip


def _scattered_sum(node: Node, draft: Draft) -> Product | None:
    if argument(node, "alpha") != 1 or not all(isinstance(term, Node) for term in node.args[:2]):
        return None
    for place in (0, 1):
        product, into = operand(node, place), operand(node, 1 - place)
        if kind(product) not in _PRODUCTS or not _is_added(product) or shape(into) != shape(node):
            continue
        if _turned(operand(product), draft) is not None and shape(node)[0] == 1:
            return Product(node, operand(product), operand(product, 1), into)
    return None


def _parts(node: Node, draft: Draft) -> list[Node]:
    """Return rows that are joined, one-hot ones among them; constant ones must be the first of a unit matrix."""
    if kind(node) != "cat" or argument(node, "dim") not in {1, -2}:
        return []
    parts = operand_list(node)
    units = [draft.tensor(part) for part in parts if draft.is_constant(part)]
    if not all(torch.equal(unit[0], torch.eye(*unit.shape[1:], dtype=unit.dtype)) for unit in units):  # fmt: skip
        return []
    return parts if any(one_hot(part, draft) is not None for part in parts) else []
