"""Calls between two projections that treat each channel alone: activations, gates, depthwise convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch.fx.node import Node

from edgevit.graph.aten import has_tag, kind, operand
from edgevit.graph.calls import Conv, weighted_at
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.convolutions.linear_calls import channel_axis, is_projection, with_weights
from edgevit.rewrites.rule import Refused

_EACH_ALONE = frozenset({"hardswish", "hardsigmoid", "to", "clone", "contiguous", "relu6"})


@dataclass(frozen=True)
class ChannelRegion:
    """Calls from the projections that make the channels to `reader`, which reads them."""

    reader: Node
    calls: tuple[Node, ...]  # in the order of the graph; the projections among them
    writers: frozenset[Node]

    @property
    def source(self) -> Node:
        return operand(self.reader)

    @property
    def axis(self) -> int:
        return channel_axis(self.reader) if kind(self.reader) != "linear" else -1

    @property
    def channels(self) -> int:
        return shape(self.source)[self.axis]

    def again(self, channels: torch.Tensor, edit: Edit) -> Node:
        """Build the calls with these channels alone; return what the reader reads."""
        new: dict[Node, Node] = {}
        for call in self.calls:
            if call in self.writers:
                new[call] = with_weights(call, lambda tensor: tensor[channels], edit)
            elif conv := Conv.of(call):
                new[call] = _depthwise(conv, new[conv.input], channels, edit)
            else:
                new[call] = edit.copied(call, lambda node: new.get(node, node))
        return new[self.source]


def channel_region(reader: Node, draft: Draft) -> ChannelRegion:
    """Return the region before a projection. Raises `Refused`."""
    calls, writers, stack = set[Node](), set[Node](), [operand(reader)]
    while stack:
        node = stack.pop()
        if node in calls:
            continue
        calls.add(node)
        if is_projection(node, draft):
            writers.add(node)
        else:
            _require_channelwise(node, draft)
            stack += [one for one in node.all_input_nodes if not draft.is_constant(one)]
    if not writers:
        raise Refused("its channels come from no projection")
    if any(user not in calls and user is not reader for node in calls for user in node.users):
        raise Refused("what is between it and the projection before it is read elsewhere too")
    order = tuple(node for node in draft.graph.nodes if node in calls)
    region = ChannelRegion(reader, order, frozenset(writers))
    axes = {channel_axis(node) - len(shape(node)) for node in writers}
    if axes != {channel_axis(reader) - len(shape(reader))}:
        raise Refused("its channels come along another axis")
    return region


def _require_channelwise(node: Node, draft: Draft) -> None:
    name = kind(node) or node.op
    if conv := Conv.of(node):
        channels = shape(conv.input)[1]
        if conv.groups == channels == shape(node)[1] and conv.is_constant(draft):
            return
        raise Refused(f"`{name}` before it mixes channels")
    if not (has_tag(node, torch.Tag.pointwise) or name in _EACH_ALONE):
        raise Refused(f"`{name}` stands between it and the projection before it")
    for one in node.all_input_nodes:
        if draft.is_constant(one) and prod(shape(one)) == 1:
            continue
        if draft.is_constant(one) or value(one).shape != value(node).shape:
            raise Refused(f"`{name}` before it reads a number for each channel, or repeats some")


def _depthwise(conv: Conv, source: Node, channels: torch.Tensor, edit: Edit) -> Node:
    weight, bias = (
        None if one is None else edit.constant(edit.draft.tensor(one)[channels], name)
        for one, name in ((conv.weight, "weight"), (conv.bias, "bias"))
    )
    options = dict(zip(("stride", "padding", "dilation"), conv.node.args[3:6], strict=False))
    return edit.again(conv.node, source, weight, bias, *options.values(), groups=len(channels))


def with_source(
    projection: Node, source: Node, weight: torch.Tensor, bias: torch.Tensor, edit: Edit
) -> Node:
    """Return the projection of another value, with other weights."""
    flat = weight.reshape(*weight.shape, *[1] * (len(shape(weighted_at(projection).weight)) - 2))
    return edit.again(
        projection,
        source,
        edit.constant(flat, "weight"),
        edit.constant(bias, "bias"),
        *projection.args[3:],
        **{k: v for k, v in projection.kwargs.items() if k not in ("weight", "bias")},
    )
