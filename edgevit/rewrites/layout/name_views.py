"""Calls that only pick or arrange values, normalised to reshape, permute and slice.

    transpose, t, movedim, swapaxes, mT      ->   permute
    split, chunk, unbind, select, narrow     ->   slice (and reshape where an axis goes)
    view, flatten, unflatten, squeeze, ...   ->   reshape

The same values. The rules that follow match three calls instead of twenty, and delegates support
these three.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, kind, operand, run_call
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.graph.tensors import strides
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule, made_by_rule

aten = torch.ops.aten
_SPLITS = frozenset({"split", "split_with_sizes", "chunk", "unsafe_chunk", "unsafe_split", "tensor_split", "unbind",
                     "unsafe_split_with_sizes"})  # fmt: skip
_PERMUTES = frozenset(
    {"transpose", "t", "movedim", "moveaxis", "swapaxes", "swapdims", "numpy_T", "mT"}
)
_PICKS = frozenset({"select", "narrow"})
_SPLITTING = ("join-projections", "join-slices", "split-heads", "permute-by-parts")


class NameViews(Rule[Match]):
    name: ClassVar[str] = "name-views"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        name = kind(node)
        if name == "getitem":
            split = operand(node)
            is_needed = any(made_by_rule(split, rule) for rule in _SPLITTING)
            return Match(node) if kind(split) in _SPLITS and not is_needed else None
        if name in RESHAPES:
            return Match(node) if name != "reshape" else None
        return Match(node) if name in _PERMUTES or name in _PICKS else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        name = kind(node)
        if name == "getitem":
            return _part(node, edit)
        if name in RESHAPES:
            return edit.call(aten.reshape.default, operand(node), list(shape(node)))
        if name in _PICKS:
            return _PICKED[name](node, edit)
        return edit.call(aten.permute.default, operand(node), permutation_of(node))


def permutation_of(node: Node) -> list[int]:
    """Return the permutation of a call.

    It is found by a probe in which every axis has another stride.
    """
    if kind(node) == "permute":
        axes: list[int] = list(argument(node, "dims"))
        return [axis % len(axes) for axis in axes]
    rank = len(shape(operand(node)))
    probe = torch.empty_strided([2] * rank, list(range(1, rank + 1)))
    permuted = run_call(node, probe, *node.args[1:], **node.kwargs)
    return [stride - 1 for stride in strides(permuted)]


def places_of(cut: Node) -> tuple[int, range]:
    """Return the axis of a slice, and the places it takes there, counted from the front."""
    sizes = shape(operand(cut))
    axis = integer(cut, "dim") % len(sizes)
    span = slice(*(argument(cut, name) for name in ("start", "end", "step")))
    return axis, range(*span.indices(sizes[axis]))


def sliced(source: Node, axis: int, start: int, end: int, edit: Edit) -> Node:
    """Slice `source`; return `source` itself where the slice is all of it."""
    if (start, end) == (0, shape(source)[axis]):
        return source
    return edit.call(aten.slice.Tensor, source, axis, start, end)


def _part(node: Node, edit: Edit) -> Node:
    split, index = operand(node), node.args[1]
    assert isinstance(index, int)
    source = operand(split)
    axis = integer(split, "dim") % len(shape(source))
    parts: list[torch.Tensor] = list(value(split))
    lengths = [1 if kind(split) == "unbind" else part.shape[axis] for part in parts]
    start = [0, *accumulate(lengths)][index]
    return _slice(source, axis, start, lengths[index], list(shape(node)), edit)


def _slice(source: Node, axis: int, start: int, length: int, sizes: list[int], edit: Edit) -> Node:
    return edit.reshaped(sliced(source, axis, start, start + length, edit), sizes)


def _select(node: Node, edit: Edit) -> Node:
    source, axis = operand(node), integer(node, "dim") % len(shape(operand(node)))
    start = integer(node, "index") % shape(source)[axis]
    return _slice(source, axis, start, 1, list(shape(node)), edit)


def _narrow(node: Node, edit: Edit) -> Node:
    source, axis = operand(node), integer(node, "dim") % len(shape(operand(node)))
    start = integer(node, "start") % max(shape(source)[axis], 1)
    return _slice(source, axis, start, shape(node)[axis], list(shape(node)), edit)


_PICKED: dict[str, Callable[[Node, Edit], Node]] = {"select": _select, "narrow": _narrow}
