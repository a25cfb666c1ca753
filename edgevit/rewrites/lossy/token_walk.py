"""Walk of reduced tokens through the rest of a graph: calls that read them are rebuilt for fewer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_tag, integer, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import origin, shape
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.lossy.token_blocks import NORMS, TokenBlock
from edgevit.rewrites.lossy.token_counts import TokenCount, resolved
from edgevit.rewrites.lossy.token_reduction import Place, Reduction
from edgevit.rewrites.rule import Refused

aten = torch.ops.aten
_PERMUTES = frozenset({"permute", "transpose", "movedim", "swapaxes"})
_SPLITS = frozenset({"unbind", "split", "split_with_sizes", "chunk"})
_EACH_ALONE = frozenset({"hardswish", "hardsigmoid", "to", "clone", "contiguous"})


class NotMergeableError(Exception):
    """A call that cannot be made for fewer tokens."""

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(reason)
        self.where, self.reason = origin(node).place, reason


class PrefixNeededError(Exception):
    """Tokens at the front, `count` of them, are read by their place and must stay there."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


@dataclass(frozen=True)
class Tokens:
    """The fewer tokens that a value runs over."""

    axis: int
    size: Node  # batch x tokens x 1: how many of the first tokens each stands for
    skipped: int = 0  # of the prefix, cut off

    @property
    def length(self) -> int:
        return shape(self.size)[1] - self.skipped

    def same_set(self, other: Tokens) -> bool:
        return self.size is other.size and self.skipped == other.skipped


Rewritten = tuple[Node, Tokens | None]


class TokenRewriter:
    """One pass over a draft. `_tokens` and `_made` are keyed by the original node."""

    def __init__(
        self,
        draft: Draft,
        reduction: Reduction,
        blocks: Mapping[TokenBlock, TokenCount],
        prefix: int,
    ) -> None:
        self._draft, self._reduction = draft, reduction
        self._places = {block.total: (block, count) for block, count in blocks.items()}
        self._prefix = prefix
        self._tokens: dict[Node, Tokens] = {}
        self._made: dict[Node, Node] = {}

    def run(self) -> None:
        for node in list(self._draft.graph.nodes):
            if node._erased:
                continue
            if any(source in self._tokens for source in node.all_input_nodes):
                self._carry(node)
            if node in self._places:
                self._reduce(node)

    def _carry(self, node: Node) -> None:
        if node.op == "output":
            raise NotMergeableError(node, "the model returns its tokens")
        edit = Edit(self._draft, self._reduction.name, node)
        new, tokens = self._handler(node)(node, edit)
        if tokens is None:
            edit.replace(node, new)
        else:
            self._made[node], self._tokens[node] = new, tokens

    def _reduce(self, node: Node) -> None:
        block, asked = self._places[node]
        edit = Edit(self._draft, self._reduction.name, node.next, (block.attention,))
        stream, tokens_there = self._made.get(node, node), self._tokens.get(node)
        if tokens_there and (tokens_there.axis != 1 or tokens_there.skipped):
            raise NotMergeableError(node, "its tokens are not all those of the attention before")
        queries, keys = (self._made.get(one, one) for one in (block.queries, block.keys))
        size = tokens_there.size if tokens_there else None
        place = Place(block.attention, queries, keys, stream, size, self._prefix)
        most = self._reduction.most(place)
        count = resolved(asked, self._reduction.candidates(place), most)
        if count > most:
            raise NotMergeableError(
                node,
                f"of {shape(stream)[1]} tokens at most {most} can go at once, not {count}",
            )
        if count:
            try:
                self._made[node], size = self._reduction.reduced(place, count, edit)
            except Refused as refusal:
                raise NotMergeableError(block.attention, refusal.reason) from refusal
            self._tokens[node] = Tokens(1, size)

    def _handler(self, node: Node) -> Callable[[Node, Edit], Rewritten]:
        name = kind(node)
        if name in _HANDLERS:
            return getattr(self, _HANDLERS[name])
        if name in _EACH_ALONE or has_tag(node, torch.Tag.pointwise):
            return self._pointwise
        raise NotMergeableError(node, f"`{name}` may treat tokens by their place")

    def _again(self, node: Node, edit: Edit) -> Node:
        """Make the same call on the new arguments."""
        return edit.copied(node, lambda source: self._made.get(source, source))

    def _of_first(self, node: Node) -> Tokens:
        """Return the tokens of the first argument, when no other has any."""
        if any(n in self._tokens and n is not node.args[0] for n in node.all_input_nodes):
            raise NotMergeableError(node, f"`{kind(node)}` multiplies tokens with one another")
        return self._tokens[operand(node)]

    def _pointwise(self, node: Node, edit: Edit) -> Rewritten:
        of_tokens = [n for n in node.all_input_nodes if n in self._tokens]
        tokens = self._tokens[of_tokens[0]]
        from_end = len(shape(of_tokens[0])) - tokens.axis
        for other in node.all_input_nodes:
            others_tokens = self._tokens.get(other)
            if others_tokens and (
                not others_tokens.same_set(tokens)
                or len(shape(other)) - others_tokens.axis != from_end
            ):
                raise NotMergeableError(
                    node, f"`{kind(node)}` joins tokens before and after a merge"
                )
            if not others_tokens and len(shape(other)) >= from_end and shape(other)[-from_end] != 1:
                raise NotMergeableError(
                    node, f"`{kind(node)}` reads a value for every token by its place"
                )
        return self._again(node, edit), replace(tokens, axis=len(shape(node)) - from_end)

    def _rowwise(self, node: Node, edit: Edit) -> Rewritten:
        """Handle calls over the last axes."""
        tokens = self._of_first(node)
        sizes = argument(node, "normalized_shape") if kind(node) in NORMS else [1]
        if tokens.axis >= len(shape(node)) - len(sizes):
            raise NotMergeableError(node, f"`{kind(node)}` mixes the tokens by their place")
        return self._again(node, edit), tokens

    def _softmax(self, node: Node, edit: Edit) -> Rewritten:
        tokens = self._of_first(node)
        if integer(node, "dim") % len(shape(node)) == tokens.axis:
            raise NotMergeableError(node, "a softmax over the tokens, outside an attention")
        return self._again(node, edit), tokens

    def _reshape(self, node: Node, edit: Edit) -> Rewritten:
        tokens, sizes = self._of_first(node), list(shape(node))
        place = _axis_after(shape(operand(node)), sizes, tokens.axis)
        if place is None:
            arranged = "x".join(map(str, sizes))
            raise NotMergeableError(
                node, f"`{kind(node)}` lays the tokens out by their place: {arranged}"
            )
        sizes[place] = tokens.length
        source = self._made[operand(node)]
        return edit.call(aten.reshape.default, source, sizes), replace(tokens, axis=place)

    def _permute(self, node: Node, edit: Edit) -> Rewritten:
        tokens = self._of_first(node)
        return self._again(node, edit), replace(
            tokens, axis=permutation_of(node).index(tokens.axis)
        )

    def _split(self, node: Node, edit: Edit) -> Rewritten:
        tokens = self._of_first(node)
        if integer(node, "dim") % len(shape(operand(node))) == tokens.axis:
            raise NotMergeableError(node, f"`{kind(node)}` parts the tokens by their place")
        return self._again(node, edit), tokens

    def _part(self, node: Node, edit: Edit) -> Rewritten:
        source, tokens = operand(node), self._of_first(node)
        gone = kind(source) == "unbind"
        before = gone and integer(source, "dim") % len(shape(operand(source))) < tokens.axis
        return self._again(node, edit), replace(tokens, axis=tokens.axis - before)

    def _select(self, node: Node, edit: Edit) -> Rewritten:
        tokens, sizes = self._of_first(node), shape(operand(node))
        axis = integer(node, "dim") % len(sizes)
        if axis != tokens.axis:
            return self._again(node, edit), replace(tokens, axis=tokens.axis - (axis < tokens.axis))
        place = integer(node, "index") % sizes[axis]
        self._require_prefix(node, tokens.skipped + place + 1)
        return edit.call(aten.select.int, self._made[operand(node)], axis, place), None

    def _slice(self, node: Node, edit: Edit) -> Rewritten:
        tokens, sizes = self._of_first(node), shape(operand(node))
        axis, step = integer(node, "dim") % len(sizes), argument(node, "step")
        if axis != tokens.axis:
            return self._again(node, edit), tokens
        start, end, _ = slice(argument(node, "start"), argument(node, "end")).indices(sizes[axis])
        if step != 1:
            raise NotMergeableError(node, "a slice in steps picks tokens by their place")
        whole = end == sizes[axis]
        self._require_prefix(node, tokens.skipped + (start if whole else end))
        last = tokens.length if whole else end
        cut = edit.call(aten.slice.Tensor, self._made[operand(node)], axis, start, last)
        return cut, replace(tokens, skipped=tokens.skipped + start) if whole else None

    def _mean(self, node: Node, edit: Edit) -> Rewritten:
        """Take a mean. Over tokens, each counts for as many first tokens as it stands for."""
        tokens, sizes = self._of_first(node), shape(operand(node))
        axes = [axis % len(sizes) for axis in argument(node, "dim") or range(len(sizes))]
        keep = argument(node, "keepdim")
        if tokens.axis not in axes:
            gone = 0 if keep else sum(axis < tokens.axis for axis in axes)
            return self._again(node, edit), replace(tokens, axis=tokens.axis - gone)
        if axes != [1] or len(sizes) != 3:
            raise NotMergeableError(node, "a mean over tokens and channels at once")
        source, size = self._made[operand(node)], self._sizes(tokens, edit)
        weighted = edit.call(aten.mul.Tensor, source, size)
        total = edit.call(aten.sum.dim_IntList, weighted, [1], keep)
        return edit.call(aten.mul.Tensor, total, 1 / sizes[1]), None

    def _cat(self, node: Node, edit: Edit) -> Rewritten:
        parts: list[Node] = list(argument(node, "tensors"))
        axis = integer(node, "dim") % len(shape(node))
        tokens = [self._tokens.get(part) for part in parts]
        first = next(part_tokens for part_tokens in tokens if part_tokens)
        for part_tokens in tokens:
            if not part_tokens or part_tokens.axis != first.axis or not part_tokens.same_set(first):
                raise NotMergeableError(node, "`cat` joins tokens before and after a merge")
        if axis == first.axis:
            raise NotMergeableError(node, "`cat` puts tokens behind one another")
        return self._again(node, edit), first

    def _attention(self, node: Node, edit: Edit) -> Rewritten:
        """Compute softmax(q k^T + log(size)) v.

        A key counts for as many tokens as it stands for (Bolya et al. 2023, equation 1).
        """
        query, key, content = (argument(node, name) for name in ("query", "key", "value"))
        tokens = self._tokens.get(query)
        rank = len(shape(node))
        for one in (query, key, content):
            own_tokens = self._tokens.get(one)
            if (
                not own_tokens
                or not tokens
                or own_tokens.axis != rank - 2
                or not own_tokens.same_set(tokens)
            ):
                raise NotMergeableError(
                    node, "an attention between tokens before and after a merge"
                )
        assert tokens is not None
        if argument(node, "attn_mask") is not None or argument(node, "is_causal"):
            raise NotMergeableError(node, "the attention's mask is for tokens by their place")
        if argument(node, "dropout_p") or shape(query)[:-2] != shape(key)[:-2]:
            raise NotMergeableError(
                node, "it drops values at random, or groups of its queries share a key"
            )
        if rank != 4 or shape(query)[0] != shape(tokens.size)[0]:
            raise NotMergeableError(node, "the attention is not one over all tokens of a picture")
        q, k, v = (self._made[one] for one in (query, key, content))
        scale = argument(node, "scale") or 1 / math.sqrt(shape(query)[-1])
        scaled = edit.call(aten.mul.Tensor, q, scale)
        scores = edit.call(aten.matmul.default, scaled, edit.call(aten.transpose.int, k, -2, -1))
        sizes = [shape(query)[0], 1, 1, tokens.length]
        row = edit.call(aten.reshape.default, self._sizes(tokens, edit), sizes)
        counted = edit.call(aten.add.Tensor, scores, edit.call(aten.log.default, row))
        weights = edit.call(aten.softmax.int, counted, -1)
        return edit.call(aten.matmul.default, weights, v), tokens

    def _sizes(self, tokens: Tokens, edit: Edit) -> Node:
        if not tokens.skipped:
            return tokens.size
        end = shape(tokens.size)[1]
        return edit.call(aten.slice.Tensor, tokens.size, 1, tokens.skipped, end)

    def _require_prefix(self, node: Node, count: int) -> None:
        if count > shape(operand(node))[self._tokens[operand(node)].axis] // 2:
            raise NotMergeableError(node, f"`{kind(node)}` picks tokens by their place")
        if count > self._prefix:
            raise PrefixNeededError(count)


def _axis_after(before: tuple[int, ...], after: list[int], axis: int) -> int | None:
    outer = math.prod(before[:axis])
    for place, size in enumerate(after):
        if size == before[axis] and math.prod(after[:place]) == outer:
            return place
    return None


_HANDLERS: dict[str, Any] = {
    **dict.fromkeys(RESHAPES, "_reshape"),
    **dict.fromkeys(_PERMUTES, "_permute"),
    **dict.fromkeys(_SPLITS, "_split"),
    **dict.fromkeys(NORMS | {"linear"}, "_rowwise"),
    "getitem": "_part",
    "select": "_select",
    "slice": "_slice",
    "mean": "_mean",
    "cat": "_cat",
    "softmax": "_softmax",
    "scaled_dot_product_attention": "_attention",
}
