"""Linears and 1x1 convolutions with constant weights: the calls that mix the channels at each
place alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.fx.node import Node

from edgevit.graph.aten import operand
from edgevit.graph.calls import Conv, Linear, weighted_at
from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.convolutions.padding import pads

_PARAMETERS = frozenset({"weight", "bias"})
Change = Callable[[torch.Tensor], torch.Tensor]


def is_projection(node: Node, draft: Draft) -> bool:
    view = Linear.of(node) or _pointwise(node)
    return view is not None and view.is_constant(draft)


def channel_axis(projection: Node) -> int:
    """Return the channel axis of the projection's result."""
    return weighted_at(projection).channel_axis


def with_weights(projection: Node, change: Change, edit: Edit) -> Node:
    """Return the same call with each of its weights and biases replaced by `change`.

    Their first axis is the channels of the result.
    """
    view = weighted_at(projection)
    bias = None if view.bias is None else change(edit.draft.tensor(view.bias))
    return called_with(projection, change(edit.draft.tensor(view.weight)), bias, edit)


def called_with(
    projection: Node, weight: torch.Tensor, bias: torch.Tensor | None, edit: Edit
) -> Node:
    others = {k: v for k, v in projection.kwargs.items() if k not in _PARAMETERS}
    return edit.again(
        projection,
        operand(projection),
        edit.constant(weight, "weight"),
        None if bias is None else edit.constant(bias, "bias"),
        *projection.args[3:],
        **others,
    )


def _pointwise(node: Node) -> Conv | None:
    """Return the view of a convolution that mixes the channels at each place alone."""
    conv = Conv.of(node)
    if conv is None or conv.groups != 1 or pads(node) or set(conv.window) != {1}:
        return None
    return conv
