"""Fusing of the least attended tokens into one, in calls of static shapes.

    score = attention of the tokens that are read at the end (of all, where none is), mean over them and the heads
    stream' = [prefix, the n with the largest scores, sum of score x the others / sum of their scores]

Liang et al. 2022 (EViT), section 3.2. One product with a matrix of one-hot rows, and a row of the others' shares, does
it. How many first tokens each stands for is a constant: later attentions read it as a constant mask.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument
from edgevit.graph.calls import Attention
from edgevit.graph.edit import Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.lossy.token_reduction import Place, cut, one_hot
from edgevit.rewrites.rule import Refused

aten = torch.ops.aten


@dataclass(frozen=True)
class Fusing:
    name: ClassVar[str] = "fuse-tokens"
    adds: ClassVar[int] = 1

    def candidates(self, place: Place) -> int:
        """Return how many tokens may go: all but those that are read, and the fused one."""
        return shape(place.stream)[1] - place.prefix - _fused(place)

    def most(self, place: Place) -> int:
        return self.candidates(place) - 1

    def reduced(self, place: Place, count: int, edit: Edit) -> tuple[Node, Node]:
        """Fuse `count` tokens; return the rest, and how many each of them stands for."""
        prefix, tokens = place.prefix, shape(place.stream)[1]
        keep, dtype = self.candidates(place) - count, value(place.stream).dtype
        scores = _scores(place, edit)
        ranked = cut(scores, 2, prefix, tokens - _fused(place), edit)
        best = edit.call(operator.getitem, edit.call(aten.topk.default, ranked, keep), 1)
        chosen = one_hot(best, range(-prefix, tokens - prefix), dtype, edit)
        every = torch.tensor([0.0] * prefix + [1.0] * (tokens - prefix), dtype=dtype)
        taken = edit.call(aten.sum.dim_IntList, chosen, [1], True)
        others = edit.call(aten.sub.Tensor, edit.constant(every.reshape(1, 1, -1), "every"), taken)
        shares = edit.call(aten.mul.Tensor, others, scores)
        total = edit.call(aten.sum.dim_IntList, shares, [2], True)
        rows = [chosen, edit.call(aten.div.Tensor, shares, total)]
        if prefix:
            first = torch.eye(prefix, tokens, dtype=dtype).repeat(shape(place.stream)[0], 1, 1)
            rows.insert(0, edit.constant(first, "prefix"))
        matrix = edit.call(aten.cat.default, rows, 1)
        fewer = edit.call(aten.matmul.default, matrix, place.stream)
        return fewer, _sizes(place, prefix + keep, edit)


def _fused(place: Place) -> int:
    """Return 1 where the last token is a fused one already."""
    return int(place.size is not None)


def _sizes(place: Place, alone: int, edit: Edit) -> Node:
    """Return the constant number of first tokens that each stands for: all but the last, one."""
    before = shape(place.stream)[1]
    total = before if place.size is None else int(edit.draft.tensor(place.size)[0].sum())
    batch = shape(place.stream)[0]
    sizes = torch.ones(batch, alone + 1, 1, dtype=value(place.stream).dtype)
    sizes[:, -1] = total - alone
    return edit.constant(sizes, "size")


def _scores(place: Place, edit: Edit) -> Node:
    """Return batch x 1 x tokens: the attention that each gets."""
    attention = Attention.at(place.attention)
    if attention.mask is not None or attention.is_causal or attention.groups_queries:
        raise Refused("its attention has a mask, or groups of its queries share a key")
    rows = shape(place.queries)[2]
    queries = cut(place.queries, 2, 0, place.prefix or rows, edit)
    scale = argument(place.attention, "scale") or 1 / math.sqrt(shape(queries)[-1])
    keys = edit.call(aten.transpose.int, place.keys, -2, -1)
    products = edit.call(aten.matmul.default, edit.call(aten.mul.Tensor, queries, scale), keys)
    if place.size is not None:
        column = edit.draft.tensor(place.size)
        row = column.log().transpose(1, 2)[:, None]
        products = edit.call(aten.add.Tensor, products, edit.constant(row, "counts"))
    maps = edit.call(aten.softmax.int, products, -1)
    if shape(maps)[2] > 1:
        maps = edit.call(aten.mean.dim, maps, [2], True)
    return edit.call(aten.mean.dim, maps, [1])
