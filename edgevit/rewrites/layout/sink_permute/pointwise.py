"""Handlers of calls that compute each value from the values at its own place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import prod

from torch.fx.node import Node

from edgevit.graph.aten import mapped_arguments
from edgevit.graph.program import shape
from edgevit.rewrites.layout.sink_permute.axis_layout import (
    Order,
    Parts,
    common_parts,
    four,
    laid_in,
    order_in,
    restricted,
    runs,
)
from edgevit.rewrites.layout.sink_permute.expression import (
    Expression,
    FoldedConstant,
    Laid,
    NewCall,
)
from edgevit.rewrites.layout.sink_permute.layout_assignment import LayoutAssignment

_LONGEST = 16384  # an axis of an image on the Neural Engine: `placement.toml`


def pointwise(plan: LayoutAssignment, node: Node) -> Laid | None:
    read = [source for source in node.all_input_nodes if shape(source)]
    if not read:
        return None  # numbers alone: there is nothing to lay out
    laid = {source: plan.of(source) for source in read}
    parts = common_parts([one.layout for one in laid.values()], shape(node))
    if parts is None:
        return None
    order = _order(plan, list(laid.values()), parts)
    arranged = {
        source: plan.arranged(one, parts, restricted(order, one.layout, parts), node)
        for source, one in laid.items()
    }
    result_shape = _common_shape(
        order, parts, [(arranged[source], one) for source, one in laid.items()]
    )
    if result_shape is not None:
        owns = [result_shape] * len(laid)
    else:
        dims = _dims(order, parts, [(arranged[source], one) for source, one in laid.items()])
        sizes = [size for axis in parts for size in axis]
        result_shape = tuple(prod(sizes[part] for part in run) for run in dims)
        having = [set(order_in(one.layout, parts)) for one in laid.values()]
        owns = [
            [prod(sizes[part] for part in run if part in present) for run in dims]
            for present in having
        ]
    for source, own in zip(laid, owns, strict=True):
        arranged[source] = plan.workshop.reshaped(arranged[source], own, node)
    scalars = {
        source: plan.of(source).source for source in node.all_input_nodes if not shape(source)
    }
    args, kwargs = mapped_arguments(node, {**arranged, **scalars}.__getitem__)
    return Laid(NewCall(node, node.target, args, kwargs, result_shape), laid_in(order, parts))


def _order(plan: LayoutAssignment, laid: Sequence[Laid], parts: Parts) -> Order:
    """Choose the order of the result.

    It is that of the operand to which the others can be brought with the fewest copies.
    """
    computed = [one for one in laid if not isinstance(one.source, FoldedConstant)]
    count = sum(len(axis) for axis in parts)
    whole = {order_in(one.layout, parts): one for one in computed}
    whole = {order: one for order, one in whole.items() if len(order) == count}
    if not whole:
        return tuple(range(count))

    def copies(order: Order) -> tuple[int, int]:
        permutes = sum(
            not plan.is_free(one, parts, restricted(order, one.layout, parts)) for one in computed
        )
        return permutes, len(whole[order].layout.sizes)

    return min(whole, key=copies)


def _common_shape(
    order: Order, parts: Parts, operands: Sequence[tuple[Expression, Laid]]
) -> tuple[int, ...] | None:
    """Return the shape that all operands already share, if none lacks a part; else None."""
    if any(len(order_in(laid.layout, parts)) < len(order) for _, laid in operands):
        return None
    shapes = {
        tuple(source.shape) for source, _ in operands if not isinstance(source, FoldedConstant)
    }
    return shapes.pop() if len(shapes) == 1 else None


def _dims(
    order: Order, parts: Parts, operands: Sequence[tuple[Expression, Laid]]
) -> list[list[int]]:
    """Group parts into axes by the operands that have them.

    The shape of the first whole operand is used if it fits.
    """
    sizes = [size for axis in parts for size in axis]
    having = [set(order_in(laid.layout, parts)) for _, laid in operands]

    def readers(part: int) -> tuple[bool, ...]:
        return tuple(part in present for present in having)

    for (source, _), present in zip(operands, having, strict=True):
        if len(present) < len(order) or isinstance(source, FoldedConstant):
            continue
        stretches = runs(order, sizes, source.shape)
        if stretches is not None and all(len(set(map(readers, run))) < 2 for run in stretches):
            return stretches
    groups = [list(group) for _, group in groupby(order, key=readers)]
    return _shortened(four(groups), sizes) if len(groups) < 4 else groups


def _shortened(dims: list[list[int]], sizes: Sequence[int]) -> list[list[int]]:
    """Move factors that make the last axis too long into the one before, where that is empty."""
    if not dims:
        return dims
    *rest, height, width = dims
    cut = len(width)
    while cut and prod(sizes[part] for part in width[cut - 1 :]) <= _LONGEST:
        cut -= 1
    return [*rest, width[:cut], width[cut:]] if not height and cut < len(width) else dims
