"""Layer norms of a stream without a mean, as RMS norms.

    y = linear(u, W, b) + linear(v, V, c) + p;   layer_norm(y), layer_norm(y + ...)   ->
    y = linear(u, W - mean(W), b - mean(b)) + ...;   y * rsqrt(mean(y * y) + eps) * w + bias       means over the channels

A layer norm is the same for y and for y - mean(y). Where all that read a residual stream are layer norms, and all that
write into it are linears, convolutions and constants, the mean is taken off the weights once: what is left is an RMS
norm, of one mean instead of two (SliceGPT, arXiv:2401.15024, section 3.1). Weights are rounded once more: hence `rtol`.

For runtimes that get layer norms in pieces. Where one is a kernel of its own, the pieces cost more than the mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import integer, kind, operand
from edgevit.graph.calls import Linear, Norm, weighted, weighted_at
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import has_tensor, shape, value
from edgevit.rewrites.convolutions.linear_calls import called_with
from edgevit.rewrites.layout.axis_tracking import through
from edgevit.rewrites.norms.expand_norm import mean_of_channels
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_NO_MEAN = 1e-6  # of the largest weight
_DENSE = 0.9  # share of weights that are not zero, in one that was not pruned


@dataclass(frozen=True)
class Stream(Match):
    """Residual stream.

    `node` is one of `norms`. Each of `writers` is a call and the axis of its output's channels.
    """

    norms: tuple[Node, ...]
    writers: tuple[tuple[Node, int], ...]
    stopped: str  # why the mean cannot be removed from the writers; "" if it can
    axes: Mapping[Node, int]  # of the channels, of all its values


class DropNormMean(Rule[Stream]):
    name: ClassVar[str] = "drop-norm-mean"
    rtol: ClassVar[float] = 1e-5
    after: ClassVar[tuple[str, ...]] = ("collapse-linear", "fold-norm-affine")

    def match(self, node: Node, draft: Draft) -> Stream | None:
        return stream_of(node, draft) if is_layer_norm(node) else None

    def check(self, match: Stream, draft: Draft) -> None:
        if match.stopped:
            raise Refused(match.stopped)
        if any(_is_pruned(writer, draft) for writer, _ in match.writers):
            raise Refused("weights have zeros, which a mean would fill")

    def rewrite(self, match: Stream, edit: Edit) -> Node:
        _centre_writers(match, self.name, edit.draft)
        for norm in match.norms:
            if norm is not match.node:
                there = Edit(edit.draft, self.name, norm)
                there.replace(norm, _by_root_mean_square(norm, there))
        return _by_root_mean_square(match.node, edit)


class CentreStream(DropNormMean):
    """The same for a runtime whose layer norm is one kernel: the weights lose their mean, the norms stay.

    A constant that all channels share takes no part of the stream's range then.
    """

    name: ClassVar[str] = "centre-stream"

    def check(self, match: Stream, draft: Draft) -> None:
        super().check(match, draft)
        if all(_is_centred(writer, axis, draft) for writer, axis in match.writers):
            raise Refused("it has no mean")

    def rewrite(self, match: Stream, edit: Edit) -> Node:
        _centre_writers(match, self.name, edit.draft)
        return edit.again(match.node, *match.node.args, **match.node.kwargs)


def is_layer_norm(node: Node) -> bool:
    norm = Norm.of(node)
    if norm is None or norm.kind != "layer_norm":
        return False
    return len(norm.normalized_shape) == 1 and value(node).dtype in {torch.float32, torch.float64}


def stream_of(norm: Node, draft: Draft) -> Stream:
    """Find all values that are added to what `norm` reads, or that it is added to, with their
    writers and readers.
    """
    axes: dict[Node, int] = {}
    norms: dict[Node, None] = {}
    writers: list[tuple[Node, int]] = []
    pending = [(operand(norm), len(shape(norm)) - 1)]
    while pending:
        node, axis = pending.pop()
        if node in axes:
            if axes[node] != axis:
                return _stopped(norm, f"`{kind(node)}` has its channels along two axes")
            continue
        axes[node] = axis
        sources = _read(node, axis)
        if _is_writer(node, axis, draft):
            writers.append((node, axis))
        elif sources:
            pending += sources
        else:
            return _stopped(norm, f"the mean of `{kind(node) or node.op}` is not of weights")
        for user in node.users:
            there = _along(user, node, axis)
            if there is not None:
                pending.append((user, there))
            elif is_layer_norm(user) and axis == len(shape(node)) - 1:
                norms[user] = None
            else:
                return _stopped(norm, f"`{kind(user) or user.op}` reads the mean too")
    return Stream(norm, tuple(norms), tuple(writers), "", axes)


def _stopped(norm: Node, why: str) -> Stream:
    return Stream(norm, (), (), why, {})


def _is_writer(node: Node, axis: int, draft: Draft) -> bool:
    if draft.is_constant(node):
        return True
    view = weighted(node)
    if view is None or axis != view.channel_axis or not view.is_constant(draft):
        return False
    return isinstance(view, Linear) or view.groups == 1


def _read(node: Node, axis: int) -> list[tuple[Node, int]]:
    """List what a call of the stream reads of it, each with the axis of its channels; empty
    for another call.
    """
    sources: list[tuple[Node, int]] = []
    for source in node.all_input_nodes if node.op == "call_function" else ():
        if not has_tensor(source):
            return []
        ways = [at for at in range(len(shape(source))) if _along(node, source, at) == axis]
        if len(ways) != 1:
            return []
        sources.append((source, ways[0]))
    return sources


def _along(user: Node, node: Node, axis: int) -> int | None:
    """Return the channel axis of `node` in `user`.

    None unless the means of `user` depend only on the means of what it reads.
    """
    name = kind(user)
    if name in {"add", "sub"}:
        there = axis + len(shape(user)) - len(shape(node))
        alike = all(
            isinstance(one, Node) and _extent(one, there - len(shape(user))) == shape(node)[axis]
            for one in user.args[:2]
        )
        return there if alike else None
    if name == "expand":
        there = axis + len(shape(user)) - len(shape(node))
        return there if shape(user)[there] == shape(node)[axis] else None
    if name == "cat":
        return axis if integer(user, "dim") % len(shape(user)) != axis else None
    return through(user, node, axis)


def _extent(node: Node, axis: int) -> int:
    sizes = shape(node)
    return sizes[axis] if -axis <= len(sizes) else 1


def _is_pruned(writer: Node, draft: Draft) -> bool:
    """Check for a weight of which zeros are a good part: pruned, in blocks or two of every four."""
    if writer.op == "get_attr":
        return False
    weight = draft.tensor(weighted_at(writer).weight)
    return int(weight.count_nonzero()) <= _DENSE * weight.numel()


def _centre_writers(match: Stream, rule: str, draft: Draft) -> None:
    for writer, axis in match.writers:
        there = Edit(draft, rule, writer)
        there.replace(writer, _centred(writer, axis, there))


def _is_centred(writer: Node, axis: int, draft: Draft) -> bool:
    """Check that the means over channels are what rounding leaves of none."""
    tensors = [(draft.tensor(writer), axis)] if writer.op == "get_attr" else []
    if not tensors:
        view = weighted_at(writer)
        tensors = [(draft.tensor(t), 0) for t in (view.weight, view.bias) if t is not None]
    return all(
        bool((t.double().mean(at).abs() <= _NO_MEAN * t.double().abs().max()).all())
        for t, at in tensors
    )


def _centred(writer: Node, axis: int, edit: Edit) -> Node:
    if writer.op == "get_attr":
        return edit.constant(_without_mean(edit.draft.tensor(writer), axis), "centred")
    view, tensor = weighted_at(writer), edit.draft.tensor
    bias = None if view.bias is None else _without_mean(tensor(view.bias), 0)
    return called_with(writer, _without_mean(tensor(view.weight), 0), bias, edit)


def _without_mean(tensor: torch.Tensor, axis: int) -> torch.Tensor:
    wide = tensor.double()
    return (wide - wide.mean(axis, keepdim=True)).to(tensor.dtype)


def _by_root_mean_square(node: Node, edit: Edit) -> Node:
    norm = Norm.at(node)
    source = norm.input
    square = edit.call(aten.mul.Tensor, source, source)
    spread = mean_of_channels(node, square, norm.eps, edit)
    result = edit.call(aten.mul.Tensor, source, edit.call(aten.rsqrt.default, spread))
    if norm.weight is not None:
        result = edit.call(aten.mul.Tensor, result, norm.weight)
    return result if norm.bias is None else edit.call(aten.add.Tensor, result, norm.bias)
