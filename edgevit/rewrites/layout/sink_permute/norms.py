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
from edgevit.rewrites.layout.sink_permute.expression import Call, Expression, Held, Laid, changed
from edgevit.rewrites.layout.sink_permute.plan import Plan

aten = torch.ops.aten


def layer_norm(plan: Plan, node: Node) -> Laid | None:
    held = [argument(node, name) for name in ("weight", "bias")]
    if any(one is not None and not plan.draft.is_constant(one) for one in held):
        return None
    laid = plan.of(operand(node))
    count = len(argument(node, "normalized_shape"))
    block = [f for axis in laid.known.axes[-count:] for f in axis]
    if not block:
        return None
    source, places = plan.exposed(laid, block, node)
    affine = [None if one is None else _in_memory_order(one, laid, block) for one in held]
    eps = argument(node, "eps")
    if places == (len(source.shape) - 1,):
        args = (source, [source.shape[-1]], *affine, eps)
        return Laid(Call(node, aten.layer_norm.default, args, {}, source.shape), laid.layout)
    made = _normed(node, source, places, eps)
    sizes = [size if axis in places else 1 for axis, size in enumerate(source.shape)]
    for one, target in zip(affine, (aten.mul.Tensor, aten.add.Tensor), strict=True):
        if one is not None:
            beside = plan.workshop.reshaped(one, sizes, node)
            made = Call(node, target, (made, beside), {}, source.shape)
    return Laid(made, laid.layout)


def group_norm(plan: Plan, node: Node) -> Laid | None:
    """Plan a group norm.

    The order of places does not matter to it, while batch and channels come first.
    """
    laid = plan.of(operand(node))
    order = range(len(laid.known.sizes))
    batch, channels, *_ = laid.known.axes
    if [*batch, *channels] != list(order[: len(batch) + len(channels)]):
        return None
    images, count = shape(node)[:2]
    source = laid.source
    if source.shape[:2] != (images, count):
        source = plan.workshop.reshaped(source, (images, count, 1, prod(shape(node)[2:])), node)
    others = (argument(node, name) for name in ("num_groups", "weight", "bias", "eps"))
    args = [plan.of(one).source if isinstance(one, Node) else one for one in others]
    if any(isinstance(one, Call) for one in args):
        return None
    return Laid(Call(node, node.target, (source, *args), {}, source.shape), laid.layout)


def _in_memory_order(held: Node, laid: Laid, block: Sequence[int]) -> Held:
    sizes = [laid.known.sizes[f] for f in block]
    turn = sorted(range(len(block)), key=lambda k: block[k])
    whole = Held(held, shape(held))
    if turn == sorted(turn) and len(shape(held)) == 1:
        return whole
    count = prod(sizes)
    return changed(whole, lambda tensor: tensor.reshape(sizes).permute(turn).reshape(-1), (count,))


def _normed(node: Node, source: Expression, places: Sequence[int], eps: float) -> Call:
    narrow = tuple(1 if axis in places else size for axis, size in enumerate(source.shape))

    def mean(of: Expression) -> Call:
        return Call(node, aten.mean.dim, (of, list(places), True), {}, narrow)

    deviation = Call(node, aten.sub.Tensor, (source, mean(source)), {}, source.shape)
    square = Call(node, aten.mul.Tensor, (deviation, deviation), {}, source.shape)
    spread = Call(node, aten.add.Tensor, (mean(square), eps), {}, narrow)
    scale = Call(node, aten.rsqrt.default, (spread,), {}, narrow)
    return Call(node, aten.mul.Tensor, (deviation, scale), {}, source.shape)
