"""Handlers of norms, with the channels at any place.

    layer_norm(x, w, b)   ->   d * rsqrt(mean(d * d) + eps) * w + b      d = x - mean(x)

The deviations are taken before they are squared: nothing cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.program import shape
from edgevit.rewrites.layout.sink_permute.expression import (
    Expression,
    FoldedConstant,
    Laid,
    NewCall,
    changed,
)
from edgevit.rewrites.layout.sink_permute.layout_assignment import LayoutAssignment

aten = torch.ops.aten


def layer_norm(plan: LayoutAssignment, node: Node) -> Laid | None:
    parameters = [argument(node, name) for name in ("weight", "bias")]
    if any(one is not None and not plan.draft.is_constant(one) for one in parameters):
        return None
    laid = plan.of(operand(node))
    count = len(argument(node, "normalized_shape"))
    block = [f for axis in laid.layout.axes[-count:] for f in axis]
    if not block:
        return None
    source, places = plan.exposed(laid, block, node)
    affine = [None if one is None else _in_memory_order(one, laid, block) for one in parameters]
    eps = argument(node, "eps")
    if places == (len(source.shape) - 1,):
        args = (source, [source.shape[-1]], *affine, eps)
        return Laid(
            NewCall(node, aten.layer_norm.default, args, {}, source.shape), laid.maybe_layout
        )
    normed = _normed(node, source, places, eps)
    sizes = [size if axis in places else 1 for axis, size in enumerate(source.shape)]
    for one, target in zip(affine, (aten.mul.Tensor, aten.add.Tensor), strict=True):
        if one is not None:
            beside = plan.workshop.reshaped(one, sizes, node)
            normed = NewCall(node, target, (normed, beside), {}, source.shape)
    return Laid(normed, laid.maybe_layout)


def group_norm(plan: LayoutAssignment, node: Node) -> Laid | None:
    """Plan a group norm.

    The order of places does not matter to it, while batch and channels come first.
    """
    laid = plan.of(operand(node))
    order = range(len(laid.layout.sizes))
    batch, channels, *_ = laid.layout.axes
    if [*batch, *channels] != list(order[: len(batch) + len(channels)]):
        return None
    images, count = shape(node)[:2]
    source = laid.source
    if source.shape[:2] != (images, count):
        source = plan.workshop.reshaped(source, (images, count, 1, prod(shape(node)[2:])), node)
    others = (argument(node, name) for name in ("num_groups", "weight", "bias", "eps"))
    args = [plan.of(one).source if isinstance(one, Node) else one for one in others]
    if any(isinstance(one, NewCall) for one in args):
        return None
    return Laid(NewCall(node, node.target, (source, *args), {}, source.shape), laid.maybe_layout)


def _in_memory_order(constant: Node, laid: Laid, block: Sequence[int]) -> FoldedConstant:
    sizes = [laid.layout.sizes[f] for f in block]
    permutation = sorted(range(len(block)), key=lambda k: block[k])
    whole = FoldedConstant(constant, shape(constant))
    if permutation == sorted(permutation) and len(shape(constant)) == 1:
        return whole
    count = prod(sizes)
    return changed(
        whole, lambda tensor: tensor.reshape(sizes).permute(permutation).reshape(-1), (count,)
    )


def _normed(node: Node, source: Expression, places: Sequence[int], eps: float) -> NewCall:
    narrow = tuple(1 if axis in places else size for axis, size in enumerate(source.shape))

    def mean(of: Expression) -> NewCall:
        return NewCall(node, aten.mean.dim, (of, list(places), True), {}, narrow)

    deviation = NewCall(node, aten.sub.Tensor, (source, mean(source)), {}, source.shape)
    square = NewCall(node, aten.mul.Tensor, (deviation, deviation), {}, source.shape)
    spread = NewCall(node, aten.add.Tensor, (mean(square), eps), {}, narrow)
    scale = NewCall(node, aten.rsqrt.default, (spread,), {}, narrow)
    return NewCall(node, aten.mul.Tensor, (deviation, scale), {}, source.shape)
