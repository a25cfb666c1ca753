"""Look-ups by a place along every axis, which broadcast to many axes together, as one by places in the flat tensor.

    x [C, H, W] at (c, y, x)   ->   x [C * H * W] at c * H * W + y * W + x

The places are added by twos, those first that together have the fewest axes.
"""

from __future__ import annotations

from itertools import combinations
from math import prod
from typing import TypeVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.graph.spans import Span, spans_of
from edgevit.graph.tensors import broadcast
from edgevit.rewrites.arithmetic.wrap_indices import WrapIndices
from edgevit.rewrites.layout.lower_rank.merge import Groups, alike, merged
from edgevit.rewrites.rule import Refused, made_by_rule

aten = torch.ops.aten
_WHOLE = frozenset({torch.int32, torch.int64})
Sizes = tuple[int, ...]
T = TypeVar("T")


def looks_up_everywhere(node: Node) -> bool:
    """Check for an index of whole numbers along every axis."""
    indices = argument(node, "indices")
    return len(indices) == len(shape(operand(node))) and all(
        isinstance(index, Node) and value(index).dtype in _WHOLE for index in indices
    )


def require_from_start(node: Node, draft: Draft) -> None:
    """Refuse computed places that may count from the end."""
    if made_by_rule(node, WrapIndices.name):
        return
    spans, _ = spans_of(draft.as_it_is())
    for index in argument(node, "indices"):
        if not draft.is_constant(index) and spans[index].low < 0:
            raise Refused("it may look up places that count from the end")


def most_axes(node: Node) -> Groups:
    """Return the groups of axes of the sum that has most of them."""
    sizes = [_aligned(index, node) for index in argument(node, "indices")]
    sums: list[Groups] = [[]]
    while len(sizes) > 1:
        one, other = _next(sizes)
        sums.append(alike([sizes[one], sizes[other]], broadcast(sizes[one], sizes[other])))
        sizes = [*_others(sizes, one, other), tuple(broadcast(sizes[one], sizes[other]))]
    return max(sums, key=len)


def looked_up(node: Node, edit: Edit) -> Node:
    source = operand(node)
    extents = shape(source)
    spans, _ = spans_of(edit.draft.as_it_is())
    parts = [
        _place(index, spans[index], extents[axis], prod(extents[axis + 1 :]), edit)
        for axis, index in enumerate(argument(node, "indices"))
    ]
    sizes = [_aligned(index, node) for index in argument(node, "indices")]
    while len(parts) > 1:
        one, other = _next(sizes)
        whole = tuple(broadcast(sizes[one], sizes[other]))
        groups = alike([sizes[one], sizes[other]], whole)
        first, second = (edit.reshaped(parts[k], merged(sizes[k], groups)) for k in (one, other))
        parts = [*_others(parts, one, other), edit.call(aten.add.Tensor, first, second)]
        sizes = [*_others(sizes, one, other), whole]
    count, places = prod(shape(node)), parts[0]
    flat = edit.reshaped(source, [prod(extents)])
    return edit.call(aten.index_select.default, flat, 0, edit.reshaped(places, [count]))


def _place(index: Node, span: Span, extent: int, step: int, edit: Edit) -> Node:
    """Return how far into the flat tensor each place along one axis is, in a row.

    Constants are worked out. Where nothing says that a place is in the tensor, a clamp does: it must be, and so 32 bits hold the sums.
    """
    if edit.draft.is_constant(index):
        places = edit.draft.tensor(index).remainder(extent) * step
        return edit.constant(places.flatten(), "places")
    flat = edit.reshaped(index, [prod(shape(index))])
    if not 0 <= span.low <= span.high < extent:
        flat = edit.call(aten.clamp.default, flat, 0, extent - 1)
    return edit.call(aten.mul.Tensor, flat, step) if step != 1 else flat


def _aligned(index: Node, node: Node) -> Sizes:
    return (1,) * (len(shape(node)) - len(shape(index))) + tuple(shape(index))


def _next(sizes: list[Sizes]) -> tuple[int, int]:
    """Choose the two whose sum has the fewest axes."""

    def axes(pair: tuple[int, int]) -> int:
        one, other = (sizes[k] for k in pair)
        return len(alike([one, other], broadcast(one, other)))

    return min(combinations(range(len(sizes)), 2), key=axes)


def _others(items: list[T], one: int, other: int) -> list[T]:
    return [item for k, item in enumerate(items) if k not in (one, other)]
