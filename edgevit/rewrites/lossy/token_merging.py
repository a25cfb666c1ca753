"""Merging of tokens in calls of static shapes: products with one-hot matrices, argmax and
topk.

Behind the `prefix` that is never merged, tokens alternate between two sets, a and b (Bolya et al. 2023, section 3):

    s[i, j] = cos(key of a_i, key of b_j), keys averaged over heads
    the r tokens of a with the largest max_j s[i, j] go into their b_j, by the mean weighted with what each stands for

A product with a one-hot matrix is a gather and a scatter that every delegate takes.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.edit import Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.lossy.token_reduction import Place, cut, one_hot

aten = torch.ops.aten
_TINY = 1e-12  # under the root of a key's length


@dataclass(frozen=True)
class Merging:
    name: ClassVar[str] = "merge-tokens"
    adds: ClassVar[int] = 0

    def candidates(self, place: Place) -> int:
        return shape(place.stream)[1] - place.prefix

    def most(self, place: Place) -> int:
        return self.candidates(place) // 2

    def reduced(self, place: Place, count: int, edit: Edit) -> tuple[Node, Node]:
        """Merge `count` tokens; return the rest, and how many each of them stands for."""
        stream, prefix = place.stream, place.prefix
        batch, tokens, channels = shape(stream)
        ones = torch.ones(batch, tokens, 1, dtype=value(stream).dtype)
        size = edit.constant(ones, "size") if place.size is None else place.size
        pairs = (tokens - prefix) // 2
        going, staying, partner = _matching(place.keys, prefix, pairs, count, edit)
        # The size is one more channel: a sum of both is divided by itself at the end.
        weighted = edit.call(aten.mul.Tensor, stream, size)
        whole = edit.call(aten.cat.default, [weighted, size], 2)
        a, b = _alternate(whole, prefix, pairs, edit)
        moved = edit.call(aten.matmul.default, going, a)
        b = edit.call(aten.add.Tensor, b, edit.call(aten.matmul.default, partner, moved))
        pieces = [cut(whole, 1, 0, prefix, edit)] if prefix else []
        pieces += [edit.call(aten.matmul.default, staying, a)] if count < pairs else []
        pieces += [b]
        if prefix + 2 * pairs < tokens:
            pieces.append(cut(whole, 1, prefix + 2 * pairs, tokens, edit))
        joined = edit.call(aten.cat.default, pieces, 1) if len(pieces) > 1 else b
        sizes = cut(joined, 2, channels, channels + 1, edit)
        return edit.call(aten.div.Tensor, cut(joined, 2, 0, channels, edit), sizes), sizes


def _matching(
    keys: Node, prefix: int, pairs: int, count: int, edit: Edit
) -> tuple[Node, Node, Node]:
    """Return one-hot matrices: which of a go, which of a stay, and which of b each that goes
    is put into, b by row.
    """
    mean = edit.call(aten.mean.dim, keys, [1])
    length = edit.call(aten.sum.dim_IntList, edit.call(aten.mul.Tensor, mean, mean), [-1], True)
    scale = edit.call(aten.rsqrt.default, edit.call(aten.add.Tensor, length, _TINY))
    a, b = _alternate(edit.call(aten.mul.Tensor, mean, scale), prefix, pairs, edit)
    alike = edit.call(aten.matmul.default, a, edit.call(aten.transpose.int, b, 1, 2))
    best = edit.call(aten.amax.default, alike, [-1])
    ranking = edit.call(aten.topk.default, best, pairs, -1, True, True)
    order = edit.call(operator.getitem, ranking, 1)
    like = value(keys).dtype
    going = one_hot(cut(order, 1, 0, count, edit), range(pairs), like, edit)
    staying = one_hot(cut(order, 1, count, pairs, edit), range(pairs), like, edit)
    nearest = one_hot(edit.call(aten.argmax.default, alike, -1), range(pairs), like, edit)
    chosen = edit.call(aten.matmul.default, going, nearest)
    return going, staying, edit.call(aten.transpose.int, chosen, 1, 2)


def _alternate(whole: Node, prefix: int, pairs: int, edit: Edit) -> tuple[Node, Node]:
    """Split tokens into even and odd ones.

    A step of two would be a gather on some delegates; an axis of two is not.
    """
    batch, _, width = shape(whole)
    part = cut(whole, 1, prefix, prefix + 2 * pairs, edit)
    apart = edit.call(aten.reshape.default, part, [batch, pairs, 2, width])
    first, second = (cut(apart, 2, k, k + 1, edit) for k in (0, 1))
    flat = [batch, pairs, width]
    return edit.call(aten.reshape.default, first, flat), edit.call(aten.reshape.default, second, flat)  # fmt: skip
