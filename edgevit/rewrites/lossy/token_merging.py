"""Merging of tokens in calls of static shapes: products with one-hot matrices, argmax and
topk.

Behind the `prefix` that is never merged, tokens alternate between two sets, a and b (Bolya et al. 2023, section 3):

    s[i, j] = cos(key of a_i, key of b_j), keys averaged over heads
    the r tokens of a with the largest max_j s[i, j] go into their b_j, by the mean weighted with what each stands for

A product with a one-hot matrix is a gather and a scatter that every delegate takes.
"""

from __future__ import annotations

import operator

import torch
from torch.fx.node import Node

from edgevit.graph.edit import Edit
from edgevit.graph.program import shape, value

aten = torch.ops.aten
_TINY = 1e-12  # under the root of a key's length


def merged(
    stream: Node, size: Node, keys: Node, prefix: int, count: int, edit: Edit
) -> tuple[Node, Node]:
    """Merge `count` tokens; return the rest, and how many of the first tokens each of them
    stands for.
    """
    tokens, channels = shape(stream)[1:]
    pairs = (tokens - prefix) // 2
    going, staying, partner = _matching(keys, prefix, pairs, count, edit)
    # The size is one more channel: a sum of both is divided by itself at the end.
    weighted = edit.call(aten.mul.Tensor, stream, size)
    whole = edit.call(aten.cat.default, [weighted, size], 2)
    a, b = _alternate(whole, prefix, pairs, edit)
    moved = edit.call(aten.matmul.default, going, a)
    b = edit.call(aten.add.Tensor, b, edit.call(aten.matmul.default, partner, moved))
    pieces = [_cut(whole, 1, 0, prefix, edit)] if prefix else []
    pieces += [edit.call(aten.matmul.default, staying, a)] if count < pairs else []
    pieces += [b]
    if prefix + 2 * pairs < tokens:
        pieces.append(_cut(whole, 1, prefix + 2 * pairs, tokens, edit))
    joined = edit.call(aten.cat.default, pieces, 1) if len(pieces) > 1 else b
    sizes = _cut(joined, 2, channels, channels + 1, edit)
    return edit.call(aten.div.Tensor, _cut(joined, 2, 0, channels, edit), sizes), sizes


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
    going = _one_hot(_cut(order, 1, 0, count, edit), pairs, like, edit)
    staying = _one_hot(_cut(order, 1, count, pairs, edit), pairs, like, edit)
    nearest = _one_hot(edit.call(aten.argmax.default, alike, -1), pairs, like, edit)
    chosen = edit.call(aten.matmul.default, going, nearest)
    return going, staying, edit.call(aten.transpose.int, chosen, 1, 2)


def _one_hot(places: Node, length: int, dtype: torch.dtype, edit: Edit) -> Node:
    column = edit.call(aten.reshape.default, places, [*shape(places), 1])
    every = edit.constant(torch.arange(length).reshape(1, 1, length), "places")
    return edit.call(aten.to.dtype, edit.call(aten.eq.Tensor, column, every), dtype)


def _alternate(whole: Node, prefix: int, pairs: int, edit: Edit) -> tuple[Node, Node]:
    """Split tokens into even and odd ones.

    A step of two would be a gather on some delegates; an axis of two is not.
    """
    batch, _, width = shape(whole)
    part = _cut(whole, 1, prefix, prefix + 2 * pairs, edit)
    apart = edit.call(aten.reshape.default, part, [batch, pairs, 2, width])
    first, second = (_cut(apart, 2, k, k + 1, edit) for k in (0, 1))
    flat = [batch, pairs, width]
    return edit.call(aten.reshape.default, first, flat), edit.call(aten.reshape.default, second, flat)  # fmt: skip


def _cut(source: Node, axis: int, start: int, end: int, edit: Edit) -> Node:
    return edit.call(aten.slice.Tensor, source, axis, start, end)
