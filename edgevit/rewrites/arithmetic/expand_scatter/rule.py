"""Indexed writes in calls that every delegate has.

    scatter_add(x, axis, i, y)            ->   x + one_hot(i)^T @ y              where the places are the same behind the axis
    scatter_reduce(x, axis, i, y, mean)   ->   (x + one_hot(i)^T @ y) / (1 + sum of one_hot(i))
    scatter_reduce(x, axis, i, y, amax)   ->   max over k of cat(x, y, -inf)[k-th writer of each place]
    scatter_reduce(x, axis, i, y, amax)   ->   max(x, max of where(one_hot(i), y, -inf))       where i is computed
    scatter(x, axis, i, y), x[i] = y      ->   cat(x, y)[last writer of each place]
    scatter(x, axis, i, number)           ->   where(any of one_hot(i), number, x)

And so for `index_add`, `index_copy` and `index_put`. A product with ones and zeros adds the same numbers, in another order; where one
of them is infinite, the places that it is not written to are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.arithmetic.expand_scatter.write import SCATTERS, Write, read, values_shape
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_MOST = 1 << 22  # elements of a one-hot, or of the values that are chosen from
_WRITERS = 16  # gathers of one write
_NEUTRAL = {"sum": 0.0, "mean": 0.0, "amax": -math.inf, "amin": math.inf, "prod": 1.0}
_BOTH: dict[str, Any] = {
    "sum": aten.add.Tensor,
    "mean": aten.add.Tensor,
    "amax": aten.maximum.default,
    "amin": aten.minimum.default,
    "prod": aten.mul.Tensor,
}
_OVER: dict[str, Any] = {
    "sum": aten.sum.dim_IntList,
    "mean": aten.sum.dim_IntList,
    "amax": aten.amax.default,
    "amin": aten.amin.default,
}


@dataclass(frozen=True)
class Written(Match):
    write: Write | None
    reason: str = ""


class ExpandScatter(Rule[Written]):
    """Rule for indexed writes.

    `only` names the reductions that the runtime has no right write for; none names all.
    """

    name: ClassVar[str] = "expand-scatter"
    rtol: ClassVar[float] = 1e-6

    def __init__(
        self, only: frozenset[str] = frozenset(), calls: frozenset[str] = frozenset()
    ) -> None:
        self._only, self._calls = only, calls

    def match(self, node: Node, draft: Draft) -> Written | None:
        if kind(node) not in (self._calls or SCATTERS | {"index_put"}):
            return None
        try:
            write = read(node, draft)
        except Refused as refusal:
            return Written(node, None, refusal.reason)
        if write is None or (self._only and write.reduce not in self._only):
            return None
        return Written(node, write)

    def check(self, match: Written, draft: Draft) -> None:
        if match.write is None:
            raise Refused(match.reason)
        write = match.write
        if write.count == 0 or prod(write.into) == 0:
            raise Refused("it writes nothing")
        if write.reduce != "set" and not value(match.node).is_floating_point():
            raise Refused("it is not of real numbers")
        _form(write)

    def rewrite(self, match: Written, edit: Edit) -> Node:
        write = match.write
        assert write is not None
        into = edit.reshaped(operand(match.node), write.into)
        return edit.reshaped(_form(write)(match.node, write, into, edit), shape(match.node))


Writer = Callable[[Node, Write, Node, Edit], Node]


def _form(write: Write) -> Writer:
    before, count, behind = write.index_sizes
    if write.reduce in {"sum", "mean"} and behind == 1:
        _require(before * write.into[1] * count)
        return _product
    if write.places is not None:
        if write.reduce == "set" or _most_writers(write) <= _WRITERS:
            return _gathered
        raise Refused(f"more than {_WRITERS} numbers are written to one place")
    if (
        write.reduce == "set"
        and isinstance(write.source, Node)
        and count > 1
        and value(write.source).numel() > 1
    ):
        raise Refused("it writes at places that are computed")
    if write.reduce == "prod":
        raise Refused("it multiplies at places that are computed")
    _require(write.into[0] * write.into[1] * count * write.into[2])
    return _chosen


def _require(elements: int) -> None:
    if elements > _MOST:
        raise Refused(f"every place against every source is {elements:,} numbers")


def _source(node: Node, write: Write, edit: Edit) -> Node:
    """Reshape the written values to three axes."""
    sizes = [write.into[0], write.count, write.into[2]]
    if not isinstance(write.source, Node):
        return edit.constant(torch.full(sizes, write.source, dtype=value(node).dtype), "source")
    if kind(node) == "index_put":
        whole = values_shape(node, edit.draft)
        source = write.source
        if list(shape(source)) != whole:
            source = edit.call(aten.expand.default, source, whole)
        return edit.reshaped(source, sizes)
    return edit.reshaped(write.source, sizes)


# sums and means, as a product


def _product(node: Node, write: Write, into: Node, edit: Edit) -> Node:
    hot = _one_hot(node, write, edit)
    added = edit.call(aten.matmul.default, hot, _source(node, write, edit))
    counts = _counts(hot, edit) if write.reduce == "mean" or not write.with_own else None
    return _joined(write, into, added, counts, edit)


def _one_hot(node: Node, write: Write, edit: Edit) -> Node:
    """Return [1 or batch, places, sources] of ones and zeros."""
    dtype = value(node).dtype
    if write.places is not None:
        hot = write.places[..., 0].unsqueeze(1) == torch.arange(write.into[1])[:, None]
        return edit.constant(hot.to(dtype), "one_hot")
    return edit.call(aten._to_copy.default, _hits(write, edit, behind=False), dtype=dtype)


def _hits(write: Write, edit: Edit, behind: bool) -> Node:
    """Compare sources with places: [batch, places, sources], with the axis behind if `behind`."""
    before, count, rest = write.index_sizes
    index = edit.reshaped(write.index, [before, 1, count, rest] if behind else [before, 1, count])
    sizes = [1, write.into[1], 1, 1] if behind else [1, write.into[1], 1]
    places = edit.constant(torch.arange(write.into[1], dtype=value(index).dtype).reshape(sizes), "places")  # fmt: skip
    return edit.call(aten.eq.Tensor, index, places)


def _counts(hot: Node, edit: Edit) -> Node:
    if edit.draft.is_constant(hot):
        return edit.constant(edit.draft.tensor(hot).sum(2, keepdim=True), "counts")
    return edit.call(aten.sum.dim_IntList, hot, [2], True)


def _joined(write: Write, into: Node, new: Node, counts: Node | None, edit: Edit) -> Node:
    """Combine the old value with the new one."""
    both = edit.call(_BOTH[write.reduce], into, new) if write.with_own else new
    if write.reduce == "mean" and counts is not None:
        total = edit.call(aten.add.Tensor, counts, 1.0) if write.with_own else counts
        total = total if write.with_own else edit.call(aten.clamp.default, total, 1.0)
        both = edit.call(aten.div.Tensor, both, total)
    if write.with_own:
        return both
    assert counts is not None
    return edit.call(aten.where.self, edit.call(aten.gt.Scalar, counts, 0), both, into)


# the writers of each place, where they are known


def _most_writers(write: Write) -> int:
    assert write.places is not None
    flat = write.places.movedim(1, 2).reshape(-1, write.count)
    return max((int(row.bincount().max()) for row in flat), default=0)


def _gathered(node: Node, write: Write, into: Node, edit: Edit) -> Node:
    """Gather all candidates of a place from one row: the old values, the sources, and a
    neutral element.
    """
    table, counts = _writers(write)
    source = _source(node, write, edit)
    if write.reduce == "set":
        row = edit.call(aten.cat.default, [into, source], 1)
        return _picked(row, table[0], write, edit)
    neutral = torch.full((write.into[0], 1, write.into[2]), _NEUTRAL[write.reduce], dtype=value(node).dtype)  # fmt: skip
    row = edit.call(aten.cat.default, [into, source, edit.constant(neutral, "neutral")], 1)
    parts = [_picked(row, places, write, edit) for places in table]
    new = reduce(lambda a, b: edit.call(_BOTH[write.reduce], a, b), parts)
    reached = edit.constant(counts.to(value(node).dtype), "counts")
    return _joined(write, into, new, reached, edit)


def _writers(write: Write) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return the k-th writer of each place, as a position in the row, and the number of writers.

    A write that replaces has one writer: the last, or the old value.
    """
    assert write.places is not None
    before, count, behind = write.index_sizes
    size = write.into[1]
    own = torch.arange(size).reshape(1, size, 1).expand(before, size, behind)
    counts = torch.zeros(before, size, behind, dtype=torch.int64)
    table = [own.clone()] if write.reduce == "set" else []
    neutral = size + count
    for place in range(count):
        for b, r in ((b, r) for b in range(before) for r in range(behind)):
            target = int(write.places[b, place, r])
            nth = 0 if write.reduce == "set" else int(counts[b, target, r])
            if nth == len(table):
                table.append(torch.full_like(own, neutral))
            table[nth][b, target, r] = size + place
            counts[b, target, r] += 1
    return table, counts


def _picked(row: Node, places: torch.Tensor, write: Write, edit: Edit) -> Node:
    before, _, behind = write.index_sizes
    if before == behind == 1:
        chosen = edit.constant(places.reshape(-1), "places")
        return edit.call(aten.index_select.default, row, 1, chosen)
    whole = places.expand(write.into[0], write.into[1], write.into[2])
    return edit.call(aten.gather.default, row, 1, edit.constant(whole, "places"))


# every source against every place, where they are computed


def _chosen(node: Node, write: Write, into: Node, edit: Edit) -> Node:
    hits = _hits(write, edit, behind=True)
    if write.reduce == "set":
        return _replaced(node, write, into, hits, edit)
    before, count, behind = write.into[0], write.count, write.into[2]
    source = edit.reshaped(_source(node, write, edit), [before, 1, count, behind])
    neutral = edit.constant(torch.tensor(_NEUTRAL[write.reduce], dtype=value(node).dtype), "neutral")  # fmt: skip
    spread = edit.call(aten.where.self, hits, source, neutral)
    new = edit.call(_OVER[write.reduce], spread, [2])
    counts = None
    if write.reduce == "mean" or not write.with_own:
        ones = edit.call(aten._to_copy.default, hits, dtype=value(node).dtype)
        counts = edit.call(aten.sum.dim_IntList, ones, [2])
    return _joined(write, into, new, counts, edit)


def _replaced(node: Node, write: Write, into: Node, hits: Node, edit: Edit) -> Node:
    """Write one number to all places that are hit, or the single source."""
    hit = _any_source(hits, edit)
    if isinstance(write.source, Node):
        one = value(write.source).numel() == 1
        sizes = [1, 1, 1] if one else [write.into[0], 1, write.into[2]]
        new = edit.reshaped(write.source, sizes)
    else:
        new = edit.constant(torch.tensor(write.source, dtype=value(node).dtype), "value")
    return edit.call(aten.where.self, hit, new, into)


def _any_source(hits: Node, edit: Edit) -> Node:
    sizes = shape(hits)
    if sizes[2] == 1:
        return edit.reshaped(hits, [*sizes[:2], sizes[3]])
    return edit.call(aten.any.dim, hits, 2)
