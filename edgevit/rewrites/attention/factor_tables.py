"""Products with rows that a constant index picks from tables, by way of the tables.

    x @ (A[i] + B[j])^T   ->   gather(x @ [A, B]^T, i) + gather(x @ [A, B]^T, j)
    x @ (A[i] + B[j])     ->   [sum of x by i, sum of x by j] @ [A, B]

Relative positions are read so: what is picked has tokens x tokens rows, and the tables a few. Sums have another order:
hence `rtol`. It comes before constants are folded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.arithmetic.fold_constants import computed, is_computable
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_PRODUCTS = frozenset({"matmul", "bmm"})
_SAME = frozenset({"alias", "clone", "contiguous", "detach", "dropout", "_to_copy", "to"})


@dataclass(frozen=True)
class Picked:
    """Rows that a constant index of two axes picks from a table."""

    table: Node
    index: Node


@dataclass(frozen=True)
class Tables(Match):
    rows: tuple[Picked, ...]
    turned: bool  # the product is with the rows' transpose


class FactorTables(Rule[Tables]):
    name: ClassVar[str] = "factor-tables"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Tables | None:
        if kind(node) not in _PRODUCTS or len(shape(operand(node))) != 3:
            return None
        right, turned = _untransposed(operand(node, 1))
        rows = _picked(right, draft)
        if not rows or len(shape(right)) != 3 or is_computable(operand(node), draft):
            return None
        return Tables(node, rows, turned)

    def check(self, match: Tables, draft: Draft) -> None:
        if shape(match.rows[0].index)[0] != shape(operand(match.node))[0]:
            raise Refused("the stacks of both sides are not of one size")

    def rewrite(self, match: Tables, edit: Edit) -> Node:
        tables = [computed(picked.table, edit.draft) for picked in match.rows]
        index = [computed(picked.index, edit.draft).long() for picked in match.rows]
        stacked = edit.constant(torch.cat(tables), "table")
        x = operand(match.node)
        heads = shape(x)[1]
        if not match.turned:
            sums = [
                _sums(x, i.unsqueeze(1).expand(-1, heads, -1), len(t), edit)
                for i, t in zip(index, tables, strict=True)
            ]
            bins = sums[0] if len(sums) == 1 else edit.call(aten.cat.default, sums, -1)
            return edit.call(
                aten.linear.default, bins, edit.call(aten.permute.default, stacked, [1, 0])
            )
        scores = edit.call(aten.linear.default, x, stacked)
        start, total = 0, None
        for i, table in zip(index, tables, strict=True):
            places = edit.constant((i + start).unsqueeze(1).expand(-1, heads, -1), "index")
            part = edit.call(aten.gather.default, scores, -1, places)
            total = part if total is None else edit.call(aten.add.Tensor, total, part)
            start += len(table)
        assert total is not None
        return total


def _sums(x: Node, index: torch.Tensor, bins: int, edit: Edit) -> Node:
    empty = edit.constant(torch.zeros(*index.shape[:-1], bins, dtype=x.meta["val"].dtype), "bins")
    places = edit.constant(index, "index")
    return edit.call(aten.scatter_add.default, empty, -1, places, x)


def _untransposed(node: Node) -> tuple[Node, bool]:
    """Return what a chain of transposes of the last two axes reads, and whether it is the other way round."""
    turned = False
    while True:
        rank = len(shape(node))
        if kind(node) == "transpose" and rank == 3:
            axes = {argument(node, "dim0") % rank, argument(node, "dim1") % rank}
        elif kind(node) == "permute" and rank == 3:
            axes = {1, 2} if [a % rank for a in argument(node, "dims")] == [0, 2, 1] else set[int]()
        elif _keeps_all(node):
            node = operand(node)
            continue
        else:
            return node, turned
        if axes != {1, 2}:
            return node, turned
        node, turned = operand(node), not turned


def _keeps_all(node: Node) -> bool:
    """Check for a call that returns what it reads, in the same shape."""
    if kind(node) in RESHAPES | {"expand"}:
        return shape(node) == shape(operand(node))
    return kind(node) in _SAME


def _picked(node: Node, draft: Draft) -> tuple[Picked, ...]:
    """Return the terms of a sum of rows picked from constant tables; none where a term is anything else."""
    while _keeps_all(node):
        node = operand(node)
    if kind(node) == "add" and argument(node, "alpha") == 1:
        terms = [node.args[0], node.args[1]]
        parts = [_picked(term, draft) if isinstance(term, Node) else () for term in terms]
        return (*parts[0], *parts[1]) if all(parts) else ()
    table, index = _pick(node)
    if table is None or index is None or not is_computable(node, draft):
        return ()
    if len(shape(table)) != 2 or len(shape(index)) != 2:
        return ()
    return (Picked(table, index),)


def _pick(node: Node) -> tuple[Node | None, Node | None]:
    if kind(node) == "index":
        indices = argument(node, "indices")
        return (operand(node), indices[0]) if len(indices) == 1 else (None, None)
    if kind(node) == "embedding":
        return operand(node), operand(node, 1)
    return None, None
