"""Linears and 1x1 convolutions with constant weights: the calls that mix the channels at each
place alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.padding import pads

_POINTWISE = frozenset({"conv1d", "conv2d", "conv3d"})
_PARAMETERS = frozenset({"weight", "bias"})
Change = Callable[[torch.Tensor], torch.Tensor]


def is_projection(node: Node, draft: Draft) -> bool:
    if kind(node) != "linear" and not _is_pointwise(node):
        return False
    weight, bias = argument(node, "weight"), argument(node, "bias")
    return draft.is_constant(weight) and (bias is None or draft.is_constant(bias))


def channel_axis(projection: Node) -> int:
    """Return the channel axis of the projection's result."""
    return len(shape(projection)) - 1 if kind(projection) == "linear" else 1


def with_weights(projection: Node, change: Change, edit: Edit) -> Node:
    """Return the same call with each of its weights and biases replaced by `change`.

    Their first axis is the channels of the result.
    """
    weight, bias = (argument(projection, name) for name in ("weight", "bias"))
    return called_with(
        projection,
        change(edit.draft.tensor(weight)),
        None if bias is None else change(edit.draft.tensor(bias)),
        edit,
    )


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


def _is_pointwise(node: Node) -> bool:
    if kind(node) not in _POINTWISE or argument(node, "groups") != 1 or pads(node):
        return False
    return set(shape(argument(node, "weight"))[2:]) == {1}
