"""Layer norms, group norms, instance norms and batch norms of the batch's own statistics, in steps that a delegate takes whole.

    layer_norm(x)   ->   d = x - mean(x);   d * rsqrt(mean(d * d) + eps) * w + b
    group_norm(x)   ->   d = x - conv(mean_hw(x), 1/C);   d * rsqrt(conv(mean_hw(d * d), 1/C, eps)) * w + b

Means are taken by the pooling that delegates have; over groups of channels, a product with 1/C follows. The deviations are
taken before they are squared, as the formula says: nothing cancels. Sums are added in another order: hence `rtol`.

A norm takes off what a convolution's bias adds to all of them: it is never added. An offset of 300 costs
four digits of what it is added to.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.graph.tensors import block_diagonal
from edgevit.rewrites.convolutions.linear_calls import called_with
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten


_BY_CHANNEL = frozenset({"instance_norm", "batch_norm"})
_GROUPED = frozenset({"group_norm", *_BY_CHANNEL})


@dataclass(frozen=True)
class ExpandNorm(Rule[Match]):
    """Rule that expands norms; with `layers`, layer norms too."""

    layers: bool = True
    name: ClassVar[str] = "expand-norm"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) == "layer_norm":
            return Match(node) if self.layers else None
        if kind(node) == "batch_norm" and not argument(node, "training"):
            return None
        return Match(node) if kind(node) in _GROUPED and len(shape(node)) == 4 else None

    def check(self, match: Match, draft: Draft) -> None:
        if value(match.node).dtype != torch.float32:
            raise Refused("it is not in float32")
        if kind(match.node) == "instance_norm" and not argument(match.node, "use_input_stats"):
            raise Refused("it normalises by stored statistics")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        source = _without_offset(node, edit)
        mean = mean_of_channels if kind(node) == "layer_norm" else _mean_of_groups
        deviation = edit.call(aten.sub.Tensor, source, mean(node, source, None, edit))
        square = edit.call(aten.mul.Tensor, deviation, deviation)
        spread = mean(node, square, argument(node, "eps"), edit)
        scale = edit.call(aten.rsqrt.default, spread)
        weight, bias = argument(node, "weight"), argument(node, "bias")
        if kind(node) in _GROUPED:
            weight, bias = (_per_channel(parameter, edit) for parameter in (weight, bias))
            if weight is not None:  # of one number for each channel and image
                scale, weight = edit.call(aten.mul.Tensor, scale, weight), None
        result = edit.call(aten.mul.Tensor, deviation, scale)
        if weight is not None:
            result = edit.call(aten.mul.Tensor, result, weight)
        return result if bias is None else edit.call(aten.add.Tensor, result, bias)


def _without_offset(node: Node, edit: Edit) -> Node:
    """Return the input of a norm, computed without the bias that the norm takes off."""
    source, groups = operand(node), _groups_of(node)
    bias = argument(source, "bias") if kind(source) == "conv2d" else None
    weight = argument(source, "weight") if bias is not None else None
    if weight is None or bias is None or not groups or len(source.users) > 1:
        return source
    if not edit.draft.is_constant(weight) or not edit.draft.is_constant(bias):
        return source
    wide = edit.draft.tensor(bias).double().reshape(groups, -1)
    rest = (wide - wide.mean(1, keepdim=True)).flatten().float()
    return called_with(source, edit.draft.tensor(weight), rest if rest.any() else None, edit)


def _groups_of(node: Node) -> int:
    """Of channels, along axis 1; 0 where the norm is along others."""
    if kind(node) == "layer_norm":
        axes = len(shape(node)) - len(argument(node, "normalized_shape"))
        return {1: 1, 2: shape(node)[1]}.get(axes, 0)
    return shape(node)[1] if kind(node) in _BY_CHANNEL else argument(node, "num_groups")


def mean_of_channels(node: Node, source: Node, eps: float | None, edit: Edit) -> Node:
    """Take a mean over channels.

    Each place becomes a channel of one image, as delegates have a pooling over images.
    """
    sizes = shape(node)
    count = len(argument(node, "normalized_shape"))
    lead, width = sizes[:-count], prod(sizes[-count:])
    rows = edit.call(aten.reshape.default, source, [1, prod(lead), width, 1])
    mean = edit.call(aten.mean.dim, rows, [2, 3], True)
    result = edit.call(aten.reshape.default, mean, [*lead, *[1] * count])
    return result if eps is None else edit.call(aten.add.Tensor, result, eps)


def _mean_of_groups(node: Node, source: Node, eps: float | None, edit: Edit) -> Node:
    """Take the mean of each group of channels, as one value for each channel; with one group,
    one value in all.
    """
    channels = shape(node)[1]
    groups = _groups_of(node)
    each = channels // groups
    rows = torch.ones(1, channels) if groups == 1 else _blocks(groups, each)
    weight = edit.constant((rows / each)[:, :, None, None], "mean")
    bias = None if eps is None else edit.constant(torch.full((len(rows),), eps), "eps")
    pooled = edit.call(aten.mean.dim, source, [2, 3], True)
    if kind(node) == "batch_norm" and shape(node)[0] > 1:
        pooled = edit.call(aten.mean.dim, pooled, [0], True)
    if groups == channels:
        return pooled if eps is None else edit.call(aten.add.Tensor, pooled, eps)
    return edit.call(aten.conv2d.default, pooled, weight, bias)


def _blocks(groups: int, each: int) -> torch.Tensor:
    return block_diagonal([torch.ones(each, each)] * groups)


def _per_channel(parameter: Node | None, edit: Edit) -> Node | None:
    return None if parameter is None else edit.call(aten.reshape.default, parameter, [1, -1, 1, 1])
