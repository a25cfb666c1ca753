"""Weight and bias of a norm, folded into the projections that read it.

    linear(layer_norm(x, w, b), W, c)   ->   linear(layer_norm(x), W * w, W b + c)

Reshapes, permutes, rolls and slices of other axes may stand between, and convolutions that do not pad may read it as
well. Every reader must be able to take it, as the norm is there once. Weights are rounded once more: hence `rtol`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.linear_calls import called_with
from edgevit.rewrites.convolutions.padding import pads
from edgevit.rewrites.layout.axis_tracking import through
from edgevit.rewrites.rule import Match, Refused, Rule


@dataclass(frozen=True)
class AffineMap(Match):
    """Affine norm and its readers.

    `node` is the norm. Each of `sinks` takes the channels as its inputs.
    """

    sinks: tuple[Node, ...]
    stopped: Node | None  # the reader that cannot take it


class FoldNormAffine(Rule[AffineMap]):
    name: ClassVar[str] = "fold-norm-affine"
    rtol: ClassVar[float] = 1e-5
    after: ClassVar[tuple[str, ...]] = ("collapse-linear",)

    def match(self, node: Node, draft: Draft) -> AffineMap | None:
        axis = _channels(node)
        if axis is None or not _has_affine(node, draft):
            return None
        sinks: dict[Node, None] = {}
        stopped = _follow(node, axis, sinks, draft)
        return AffineMap(node, tuple(sinks), stopped) if sinks else None

    def check(self, match: AffineMap, draft: Draft) -> None:
        if match.stopped is not None:
            raise Refused(f"`{kind(match.stopped)}` reads it too")
        bias = argument(match.node, "bias")
        if bias is None or not bool(draft.tensor(bias).any()):
            return
        for sink in match.sinks:
            if kind(sink) != "linear" and pads(sink):
                raise Refused("the convolution that reads it pads with zeros, not with its bias")

    def rewrite(self, match: AffineMap, edit: Edit) -> Node:
        weight, bias = (
            _double_parameter(match.node, name, edit.draft) for name in ("weight", "bias")
        )
        for sink in match.sinks:
            there = Edit(edit.draft, self.name, sink)
            there.replace(sink, _absorbed(sink, weight, bias, there))
        node = match.node
        if kind(node) == "layer_norm":
            sizes, eps = argument(node, "normalized_shape"), argument(node, "eps")
            return edit.again(node, operand(node), sizes, None, None, eps)
        groups, eps = argument(node, "num_groups"), argument(node, "eps")
        return edit.again(node, operand(node), groups, None, None, eps)


def _channels(node: Node) -> int | None:
    """Return the axis that the weight of a norm runs along."""
    if kind(node) == "layer_norm" and len(argument(node, "normalized_shape")) == 1:
        return len(shape(node)) - 1
    return 1 if kind(node) == "group_norm" else None


def _has_affine(node: Node, draft: Draft) -> bool:
    parameters = [argument(node, name) for name in ("weight", "bias")]
    present = [one for one in parameters if one is not None]
    return bool(present) and all(draft.is_constant(one) for one in present)


def _follow(node: Node, axis: int, sinks: dict[Node, None], draft: Draft) -> Node | None:
    """Fill `sinks`; return the first reader that is no sink and lets no affine through."""
    for user in node.users:
        if _is_sink(user, node, axis, draft):
            sinks[user] = None
            continue
        there = through(user, node, axis)
        stopped = user if there is None else _follow(user, there, sinks, draft)
        if stopped is not None:
            return stopped
    return None


def _is_sink(user: Node, node: Node, axis: int, draft: Draft) -> bool:
    name = kind(user)
    if name not in {"linear", "conv1d", "conv2d", "conv3d"} or operand(user) is not node:
        return False
    parameters = argument(user, "weight"), argument(user, "bias")
    if any(one is not None and not draft.is_constant(one) for one in parameters):
        return False
    if name == "linear":
        return axis == len(shape(node)) - 1
    return axis == 1 and argument(user, "groups") == 1


def _double_parameter(node: Node, name: str, draft: Draft) -> torch.Tensor | None:
    parameter = argument(node, name)
    return None if parameter is None else draft.tensor(parameter).double()


def _absorbed(
    sink: Node, weight: torch.Tensor | None, bias: torch.Tensor | None, edit: Edit
) -> Node:
    kernel = edit.draft.tensor(argument(sink, "weight"))
    bias_node = argument(sink, "bias")
    wide, added = (
        kernel.double(),
        None if bias_node is None else edit.draft.tensor(bias_node).double(),
    )
    along = [1, -1, *[1] * (kernel.ndim - 2)]
    if bias is not None:
        shift = (wide * bias.reshape(along)).flatten(1).sum(1)
        added = shift if added is None else added + shift
    scaled = wide if weight is None else wide * weight.reshape(along)
    final = None if added is None else added.to(kernel.dtype)
    return called_with(sink, scaled.to(kernel.dtype), final, edit)
