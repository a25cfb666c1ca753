"""Residual streams of fewer channels: those that the layer norms see most of, after a rotation.

    y = linear(u, W, b) + ...;   linear(layer_norm(y), V, c)   ->
    z = linear(u, T W, T b) + ...;   linear(layer_norm(z), V T^T s, c)      T = B Q^T (I - 1/n), s = sqrt(n / k)

A layer norm is the same for y and for y - mean(y), and a rotation of the channels commutes with what it divides by. Q are the
k - 1 directions of y with the most energy, as the norms put it out on calibration inputs; B maps them to k channels whose
sum is zero, so that the norm stays a layer norm (its epsilon times n / k). After Ashkboos et al. 2024, "SliceGPT", with one
rotation for all blocks, so that none has to be between them. `slice-width=0.25`: a quarter of the channels goes; what stays
is a multiple of 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand, per_dimension
from edgevit.graph.calls import Norm, weighted_at
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Inputs, Program, origin, shape
from edgevit.graph.tensors import from_numpy
from edgevit.rewrites.convolutions.padding import pads
from edgevit.rewrites.layout.axis_tracking import through
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.lossy.input_moments import InputMoments, input_moments
from edgevit.rewrites.lossy.option import LossyStep, Taken
from edgevit.rewrites.lossy.prune_mlp import share_of
from edgevit.rewrites.norms.drop_norm_mean import Stream, is_layer_norm, stream_of
from edgevit.rewrites.norms.fold_norm_affine import mixes_channels
from edgevit.rewrites.report import Refusal
from edgevit.rewrites.rule import Refused

aten = torch.ops.aten
_NAME = "slice-width"
_STEP = 4  # SIMD lanes of the smallest device
_NO_NORM = Refusal("the model", "no layer_norm is in its graph")


def slice_width(value: str) -> LossyStep:
    share = share_of(value, _NAME)
    return lambda program, samples: _sliced(program, share, samples())


@dataclass(frozen=True)
class _Readers:
    """What reads the norms of a stream: projections, and calls between that leave the channels alone."""

    sinks: dict[Node, Norm]
    between: dict[Node, int]  # axis of the channels


@dataclass(frozen=True)
class _Maps:
    write: torch.Tensor  # k x n
    read: torch.Tensor  # n x k


def _sliced(program: Program, share: float, samples: Sequence[Inputs]) -> Taken:
    draft = Draft(program)
    norms = [node for node in draft.graph.nodes if is_layer_norm(node)]
    places, refused = list[str](), [] if norms else [_NO_NORM]
    streams, seen = list[tuple[Stream, _Readers, int]](), set[Node]()
    for node in norms:
        if node in seen:
            continue
        try:
            stream, readers = _stream(node, draft)
            seen |= set(stream.norms)
            streams.append((stream, readers, _staying(shape(node)[-1], share)))
        except Refused as refusal:
            refused.append(Refusal(origin(node).place, refusal.reason))
    axes = {norm.name: len(shape(norm)) - 1 for stream, *_ in streams for norm in stream.norms}
    moments = input_moments(program, axes, samples)
    for stream, readers, width in streams:
        places += [origin(norm).place for norm in stream.norms]
        each = [_unscaled(moments[norm.name], Norm.at(norm), draft) for norm in stream.norms]
        _slice(stream, readers, _maps(sum(each[1:], each[0]), width), draft)
    return (draft.program() if places else program), tuple(places), tuple(refused)


def _stream(norm: Node, draft: Draft) -> tuple[Stream, _Readers]:
    stream = stream_of(norm, draft)
    if stream.stopped:
        raise Refused(stream.stopped)
    if not all(Norm.at(one).is_constant(draft) for one in stream.norms):
        raise Refused("a norm's scale is computed")
    if _staying(shape(norm)[-1], 0.5) >= shape(norm)[-1]:
        raise Refused(f"{shape(norm)[-1]} channels are too few")
    readers = _Readers({}, {})
    for one in stream.norms:
        _follow(one, len(shape(one)) - 1, Norm.at(one), readers, draft)
    return stream, readers


def _follow(node: Node, axis: int, norm: Norm, readers: _Readers, draft: Draft) -> None:
    for user in node.users:
        if mixes_channels(user, node, axis, draft) and not _has_border(user):
            readers.sinks[user] = norm
            continue
        there = _mean_over_others(user, axis) if kind(user) == "mean" else through(user, node, axis)
        if there is None:
            raise Refused(f"`{kind(user) or user.op}` reads a norm")
        readers.between[user] = there
        _follow(user, there, norm, readers, draft)


def _has_border(user: Node) -> bool:
    """Check for a convolution that reads zeros around its image: no norm put them there."""
    return kind(user) != "linear" and pads(user)


def _mean_over_others(user: Node, axis: int) -> int | None:
    """Return the axis of the channels after a mean over other axes."""
    source = operand(user)
    dims = {dim % len(shape(source)) for dim in per_dimension(user.args[1], 1)}  # type: ignore[arg-type]
    if axis in dims:
        return None
    keeps = len(shape(user)) == len(shape(source))
    return axis if keeps else axis - sum(dim < axis for dim in dims)


def _staying(channels: int, share: float) -> int:
    return max(_STEP, round(channels * (1 - share) / _STEP) * _STEP)


def _unscaled(moments: InputMoments, norm: Norm, draft: Draft) -> np.ndarray:
    """Return the mean products of a norm's output before its scale and bias."""
    products = torch.as_tensor(moments.products) / moments.count
    mean = moments.mean
    bias = torch.zeros_like(mean) if norm.bias is None else draft.tensor(norm.bias).double()
    scale = torch.ones_like(mean) if norm.weight is None else draft.tensor(norm.weight).double()
    scale = torch.where(scale == 0, torch.inf, scale)
    centred = products - torch.outer(mean, bias) - torch.outer(bias, mean) + torch.outer(bias, bias)
    return (centred / scale[:, None] / scale).numpy()


def _maps(products: np.ndarray, width: int) -> _Maps:
    count = len(products)
    centre = np.eye(count) - 1 / count
    _, directions = np.linalg.eigh(centre @ products @ centre)
    write = _sum_zero(width) @ directions[:, -(width - 1) :].T @ centre
    return _Maps(from_numpy(write), from_numpy(write.T * np.sqrt(count / width)))


def _sum_zero(width: int) -> np.ndarray:
    """Return an orthonormal basis of the vectors whose sum is zero, `width` x `width` - 1."""
    basis, _, _ = np.linalg.svd(np.eye(width) - 1 / width)
    return basis[:, : width - 1]


def _slice(stream: Stream, readers: _Readers, maps: _Maps, draft: Draft) -> None:
    """Make all values of the stream again, with fewer channels; the last to change are the sinks."""
    writers, again = dict(stream.writers), dict[Node, Node]()
    for node in list(draft.graph.nodes):
        edit = Edit(draft, _NAME, node, (node,))
        if node in writers and node.op == "get_attr":
            again[node] = _narrower(node, writers[node], maps, edit)
        elif node in writers or node in readers.sinks:
            new = _projected(node, readers.sinks.get(node), node in writers, again, maps, edit)
            again[node] = new if node in writers else edit.replace(node, new)
        elif node in stream.norms:
            norm, width = Norm.at(node), len(maps.write)
            epsilon = norm.eps * shape(node)[-1] / width
            again[node] = edit.call(
                aten.layer_norm.default, again[norm.input], [width], None, None, epsilon
            )
        elif node in stream.axes or node in readers.between:
            axis = stream.axes[node] if node in stream.axes else readers.between[node]
            again[node] = _moved(node, axis, again, len(maps.write), edit)
    draft.drop_dead()


def _narrower(node: Node, axis: int, maps: _Maps, edit: Edit) -> Node:
    """Build a constant of the stream with fewer channels."""
    data = edit.draft.tensor(node)
    narrow = (data.double().movedim(axis, -1) @ maps.write.T).movedim(-1, axis)
    return edit.constant(narrow.to(data.dtype), "sliced")


def _projected(
    node: Node,
    norm: Norm | None,
    writes: bool,
    again: dict[Node, Node],
    maps: _Maps,
    edit: Edit,
) -> Node:
    """Build a writer of the stream, or a reader behind `norm`, or what is both."""
    view, tensor = weighted_at(node), edit.draft.tensor
    weight = tensor(view.weight)
    wide = weight.double()
    bias = None if view.bias is None else tensor(view.bias).double()
    if norm is not None:
        wide, bias = _behind(norm, wide, bias, maps, edit)
    if writes:
        wide = (wide.movedim(0, -1) @ maps.write.T).movedim(-1, 0)
        bias = None if bias is None else maps.write @ bias
    others = {k: v for k, v in node.kwargs.items() if k not in {"weight", "bias"}}
    return edit.again(
        node,
        again.get(view.input, view.input),
        edit.constant(wide.to(weight.dtype), "weight"),
        None if bias is None else edit.constant(bias.to(weight.dtype), "bias"),
        *node.args[3:],
        **others,
    )


def _behind(
    norm: Norm, weight: torch.Tensor, bias: torch.Tensor | None, maps: _Maps, edit: Edit
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Fold a norm's scale and bias into a reader, and let it read fewer channels."""
    along = [1, -1, *[1] * (weight.dim() - 2)]
    if norm.bias is not None:
        shift = (weight * edit.draft.tensor(norm.bias).reshape(along)).flatten(1).sum(1)
        bias = shift if bias is None else bias + shift
    if norm.weight is not None:
        weight = weight * edit.draft.tensor(norm.weight).double().reshape(along)
    return (weight.movedim(1, -1) @ maps.read).movedim(-1, 1), bias


def _moved(node: Node, axis: int, again: dict[Node, Node], width: int, edit: Edit) -> Node:
    """Build a call that leaves the channels alone for fewer of them."""
    if kind(node) in RESHAPES | {"expand"}:
        sizes = [width if at == axis else size for at, size in enumerate(shape(node))]
        source = again[operand(node)]
        if kind(node) == "expand":
            return edit.again(node, source, sizes)
        return edit.reshaped(source, sizes)
    return edit.copied(node, lambda read: again.get(read, read))
