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
from edgevit.graph.calls import Linear, Norm, weighted, weighted_at
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.linear_calls import called_with
from edgevit.rewrites.convolutions.padding import pads
from edgevit.rewrites.layout.axis_tracking import through
from edgevit.rewrites.rule import Match, Refused, Rule

_VIEWS = frozenset({"flatten", "permute", "reshape", "squeeze", "transpose", "unsqueeze", "view"})


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
        norm = Norm.of(node)
        axis = _channels(norm) if norm else None
        if norm is None or axis is None or not norm.parameters or not norm.is_constant(draft):
            return None
        sinks: dict[Node, None] = {}
        stopped = _follow(node, axis, sinks, draft)
        return AffineMap(node, tuple(sinks), stopped) if sinks else None

    def check(self, match: AffineMap, draft: Draft) -> None:
        if match.stopped is not None:
            raise Refused(f"`{kind(match.stopped)}` reads it too")
        if not all(_is_alike(match.node, sink, draft) for sink in match.sinks):
            raise Refused(
                "a weight that reads it is read behind another norm too, and would be there twice"
            )
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
        node, norm = match.node, Norm.at(match.node)
        is_layer = norm.kind == "layer_norm"
        over = argument(node, "normalized_shape") if is_layer else norm.groups
        return edit.again(node, norm.input, over, None, None, norm.eps)


def _is_alike(norm: Node, sink: Node, draft: Draft) -> bool:
    """Check that all calls with the weight of `sink` read norms with the parameters of this one."""
    mine = Norm.at(norm).parameters
    for call in weighted_at(sink).parameters[0].users:
        if call is sink:
            continue
        other = Norm.of(_source(call))
        if other is None or other.parameters != mine:
            return False
    return True


def _source(call: Node) -> Node:
    """Return what a call reads, before views of it."""
    source = operand(call)
    while kind(source) in _VIEWS:
        source = operand(source)
    return source


def _channels(norm: Norm) -> int | None:
    """Return the axis that the weight of a norm runs along."""
    if norm.kind == "layer_norm" and len(norm.normalized_shape) == 1:
        return len(shape(norm.node)) - 1
    return 1 if norm.kind == "group_norm" else None


def _follow(node: Node, axis: int, sinks: dict[Node, None], draft: Draft) -> Node | None:
    """Fill `sinks`; return the first reader that is no sink and lets no affine through."""
    for user in node.users:
        if mixes_channels(user, node, axis, draft):
            sinks[user] = None
            continue
        there = through(user, node, axis)
        stopped = user if there is None else _follow(user, there, sinks, draft)
        if stopped is not None:
            return stopped
    return None


def mixes_channels(user: Node, node: Node, axis: int, draft: Draft) -> bool:
    """Check for a product of constant weights whose sums run over the axis."""
    view = weighted(user)
    if view is None or view.input is not node or not view.is_constant(draft):
        return False
    if isinstance(view, Linear):
        return axis == len(shape(node)) - 1
    return axis == 1 and view.groups == 1


def _double_parameter(node: Node, name: str, draft: Draft) -> torch.Tensor | None:
    parameter = argument(node, name)
    return None if parameter is None else draft.tensor(parameter).double()


def _absorbed(
    sink: Node, weight: torch.Tensor | None, bias: torch.Tensor | None, edit: Edit
) -> Node:
    view = weighted_at(sink)
    kernel = edit.draft.tensor(view.weight)
    wide = kernel.double()
    added = None if view.bias is None else edit.draft.tensor(view.bias).double()
    along = [1, -1, *[1] * (kernel.ndim - 2)]
    if bias is not None:
        shift = (wide * bias.reshape(along)).flatten(1).sum(1)
        added = shift if added is None else added + shift
    scaled = wide if weight is None else wide * weight.reshape(along)
    final = None if added is None else added.to(kernel.dtype)
    return called_with(sink, scaled.to(kernel.dtype), final, edit)
