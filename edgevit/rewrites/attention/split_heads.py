"""Attention one head at a time.

    softmax(q @ k^T + bias) @ v   ->   cat(softmax(q[h] @ k[h]^T + bias[h]) @ v[h], ...)       over the heads h

The same products, and no value between them is of all heads at once: the Neural Engine keeps a small one on the chip,
and can work at several (Apple, "Deploying Transformers on the Apple Neural Engine", principle 2).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import integer, kind, operand
from edgevit.graph.cost import MATMULS
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_MOST = 12  # as many as Apple's own reference, a BERT, splits
_BESIDE = frozenset({"add", "sub", "mul", "div"})


@dataclass(frozen=True)
class Heads(Match):
    """Heads of an attention.

    `node` is the product with the values. All of `calls`, in their order, have the heads along
    `axis`.
    """

    calls: tuple[Node, ...]
    axis: int

    @property
    def count(self) -> int:
        return shape(self.node)[self.axis]


class SplitHeads(Rule[Heads]):
    name: ClassVar[str] = "split-heads"
    rtol: ClassVar[float] = 1e-6
    after: ClassVar[tuple[str, ...]] = ("expand-attention",)

    def match(self, node: Node, draft: Draft) -> Heads | None:
        axis = len(shape(node)) - 3 if kind(node) in {"matmul", "bmm"} else -1
        if axis < 0 or shape(node)[axis] == 1 or prod(shape(node)[:axis]) > 1:
            return None
        calls = _attention(node)
        if calls is None or any(
            shape(call)[: axis + 1] != shape(node)[: axis + 1] for call in calls
        ):
            return None
        return Heads(node, calls, axis)

    def check(self, match: Heads, draft: Draft) -> None:
        if any(_is_of_windows(source) for call in match.calls for source in call.all_input_nodes):
            raise Refused("its windows are small already")
        if match.count > _MOST:
            raise Refused(f"{match.count} heads would be as many pieces")

    def rewrite(self, match: Heads, edit: Edit) -> Node:
        inside = set(match.calls)
        read = dict.fromkeys(
            s for call in match.calls for s in call.all_input_nodes if s not in inside
        )
        pieces = {source: _pieces(source, match, edit) for source in read}
        results: list[Node] = []
        for head in range(match.count):
            copies = {source: parts[head] for source, parts in pieces.items()}
            for call in match.calls:
                copies[call] = _again(
                    call, copies, Edit(edit.draft, self.name, match.node, (call,))
                )
            results.append(copies[match.node])
        return edit.call(aten.cat.default, results, match.axis)


def _attention(node: Node) -> tuple[Node, ...] | None:
    """Return the calls from the product of queries and keys to that with the values.

    None if anything else reads a value between.
    """
    weights = next(
        (one for one in map(_unswapped, node.all_input_nodes) if kind(one) == "softmax"), None
    )
    if weights is None or integer(weights, "dim") % len(shape(weights)) < len(shape(weights)) - 2:
        return None
    scores = operand(weights)
    between = [node, weights]
    while kind(scores) in _BESIDE and isinstance(scores.args[0], Node):
        between.append(scores)
        scores = scores.args[0]
    if kind(scores) not in MATMULS:
        return None
    between.append(scores)
    swaps = [one for call in (node, scores) for one in call.all_input_nodes if _is_swap(one)]
    ordered = [call for call in node.graph.nodes if call in {*between, *swaps}]
    alone = all(set(call.users) <= set(ordered) for call in ordered if call is not node)
    return tuple(ordered) if alone else None


def _is_of_windows(source: Node) -> bool:
    """Check that the stack is not only of the channels of one image."""
    return (
        kind(source) == "reshape"
        and len(shape(operand(source))) == 4
        and shape(operand(source))[0] > 1
    )


def _is_swap(node: Node) -> bool:
    """Check for a swap of the last two axes, which a product absorbs."""
    if kind(node) != "permute":
        return False
    last = len(shape(node)) - 1
    return permutation_of(node) == [*range(last - 1), last, last - 1]


def _unswapped(node: Node) -> Node:
    return operand(node) if _is_swap(node) else node


def _pieces(source: Node, match: Heads, edit: Edit) -> list[Node]:
    """Return what each head reads of `source`: the same value for all, where it has no heads."""
    axis = match.axis - len(shape(match.node)) + len(shape(source))
    if axis < 0 or shape(source)[axis] == 1:
        return [source] * match.count
    if edit.draft.is_constant(source):
        tensor = edit.draft.tensor(source)
        return [edit.constant(tensor.narrow(axis, k, 1), "part") for k in range(match.count)]
    split = edit.call(aten.split.Tensor, source, 1, axis)
    return [edit.call(operator.getitem, split, k) for k in range(match.count)]


def _again(call: Node, copies: Mapping[Node, Node], edit: Edit) -> Node:
    return edit.copied(call, copies.__getitem__)
