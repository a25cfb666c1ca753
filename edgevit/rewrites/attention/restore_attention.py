"""Recognition of a softmax between two products of matrices as an attention.

    matmul(softmax(matmul(q, k^T) * s + bias, -1), v)       ->   attention(q, k, v, mask=bias, scale=s)
    matmul(v^T, softmax(matmul(q, k^T) * s + bias, -1)^T)   ->   attention(q, k, v, mask=bias, scale=s)^T

Runtimes with a fused attention know it only by that name, and so do the rules that simplify one. The fused kernel adds
in another order: hence `rtol`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.attention.masks import is_open, may_close
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.rule import Match, Refused, Rule, made_by_rule

aten = torch.ops.aten
_PRODUCTS = frozenset({"matmul", "bmm"})
_EXPANDING = ("expand-attention", "split-heads")
_PERMUTES = frozenset({"transpose", "permute", "mT"})


@dataclass(frozen=True)
class WrittenAttention(Match):
    query: Node
    transposed_key: Node
    content: Node  # transposed if `transposed`
    weights: Node
    transposed: bool
    scale: float
    biases: tuple[Node, ...]


class RestoreAttention(Rule[WrittenAttention]):
    name: ClassVar[str] = "restore-attention"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> WrittenAttention | None:
        if kind(node) not in _PRODUCTS:
            return None
        weights, content = node.args
        assert isinstance(weights, Node) and isinstance(content, Node)
        transposed = kind(content) in _PERMUTES and permutation_of(content) == _swap(content)
        if transposed:
            weights, content = operand(content), weights
        if kind(weights) != "softmax" or argument(weights, "dim") not in (
            -1,
            len(shape(weights)) - 1,
        ):
            return None
        if any(made_by_rule(weights, rule) for rule in _EXPANDING):
            return None
        scores, biases = _without_biases(operand(weights))
        scores, scale = _without_scale(scores, draft)
        if kind(scores) not in _PRODUCTS or not isinstance(scores.args[1], Node):
            return None
        sides = operand(scores), scores.args[1], content
        return WrittenAttention(node, *sides, weights, transposed, scale, biases)

    def check(self, match: WrittenAttention, draft: Draft) -> None:
        sides = match.query, match.transposed_key, match.content
        if len({shape(side)[:-2] for side in sides}) > 1 or len(shape(match.query)) < 3:
            raise Refused("queries, keys and values have other batches")
        weights = match.weights
        if len(weights.users) > 1:
            raise Refused("the weights are read by others too")
        if value(weights).dtype != value(operand(weights)).dtype:
            raise Refused("the softmax is in another precision")
        if any(value(bias).dtype != value(match.node).dtype for bias in match.biases):
            raise Refused("what is added to the scores is of another type")
        if _may_close_together(match.biases, draft):
            raise Refused(
                "what is added may leave a row with nothing, which is NaN here and zeros in an attention"
            )

    def rewrite(self, match: WrittenAttention, edit: Edit) -> Node:
        key = _transposed_back(match.transposed_key, edit)
        mask = None
        for bias in match.biases:
            mask = bias if mask is None else edit.call(aten.add.Tensor, mask, bias)
        content = _transposed_back(match.content, edit) if match.transposed else match.content
        attention = edit.call(
            aten.scaled_dot_product_attention.default,
            match.query,
            key,
            content,
            mask,
            scale=match.scale,
        )
        return (
            edit.call(aten.permute.default, attention, _swap(attention))
            if match.transposed
            else attention
        )


def _without_biases(scores: Node) -> tuple[Node, tuple[Node, ...]]:
    """Split an addition into the term that leads to the product of queries and keys, and the
    other terms.
    """
    biases: list[Node] = []
    while kind(scores) == "add" and argument(scores, "alpha") == 1:
        terms = [term for term in scores.args[:2] if isinstance(term, Node)]
        whole = [term for term in terms if _leads_to_product(term)]
        if len(terms) != 2 or len(whole) != 1 or shape(whole[0]) != shape(scores):
            break
        biases += [term for term in terms if term is not whole[0]]
        scores = whole[0]
    return scores, tuple(biases)


def _may_close_together(biases: tuple[Node, ...], draft: Draft) -> bool:
    constants = [draft.tensor(bias) for bias in biases if draft.is_constant(bias)]
    if constants and not is_open(functools.reduce(torch.add, constants)):
        return True
    return any(may_close(bias, draft) for bias in biases if not draft.is_constant(bias))


def _leads_to_product(term: Node) -> bool:
    while kind(term) in {"add", "mul", "div"} and isinstance(term.args[0], Node):
        term = term.args[0]
    return kind(term) in _PRODUCTS


def _without_scale(scores: Node, draft: Draft) -> tuple[Node, float]:
    if kind(scores) not in {"mul", "div"}:
        return scores, 1.0
    source, number = scores.args[:2]
    if isinstance(number, Node) and draft.is_constant(number) and value(number).numel() == 1:
        number = float(draft.tensor(number))
    if not isinstance(source, Node) or not isinstance(number, int | float):
        return scores, 1.0
    return source, float(number) if kind(scores) == "mul" else 1 / number


def _transposed_back(transposed: Node, edit: Edit) -> Node:
    """Transpose back to rows; a transpose that made the columns is removed instead."""
    if kind(transposed) in _PERMUTES and permutation_of(transposed) == _swap(transposed):
        return operand(transposed)
    return edit.call(aten.permute.default, transposed, _swap(transposed))


def _swap(node: Node) -> list[int]:
    """Return the permutation that swaps the last two axes."""
    rank = len(shape(node))
    return [*range(rank - 2), rank - 1, rank - 2]
