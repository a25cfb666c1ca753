"""A call on a permuted value, as the same call on the value before the permute.

`turn` is what the value was permuted by. What `moved` makes is to be permuted by it to be what the call computed;
what `absorbed` makes is what the call computed.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import torch
from torch.fx.node import Node, map_arg

from edgevit.graph.aten import argument, kind, op, operand
from edgevit.graph.cost import TRANSPOSES
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.name_views import turn_of

aten = torch.ops.aten
Turn = tuple[int, ...]
_UNARY = frozenset({"relu", "relu6", "gelu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "hardtanh", "elu",
                    "leaky_relu", "mish", "softplus", "clamp", "exp", "erf", "abs", "neg", "sqrt", "rsqrt", "pow"})  # fmt: skip
_BINARY = frozenset({"add", "sub", "mul", "div", "maximum", "minimum"})
_ALONG_AXIS = frozenset(
    {"softmax", "cat", "slice", "narrow", "split", "split_with_sizes", "chunk"}
)  # `dim` names the one axis that matters
_REDUCTIONS = frozenset({"mean.dim", "sum.dim_IntList", "amax", "amin"})
_CHANNELS = 1  # where a convolution has them


def is_movable(node: Node, turn: Turn, inside: Container[Node], draft: Draft) -> bool:
    """Whether the call reads values of `inside`, all of them permuted by `turn`, and nothing else that is computed."""
    if node.op != "call_function" or not any(n in inside for n in node.all_input_nodes):
        return False
    if kind(node) in _UNARY or _is_kept_reduction(node):
        return len(node.all_input_nodes) == 1
    if kind(node) in _ALONG_AXIS or kind(node) == "getitem":
        return all(source in inside for source in node.all_input_nodes)
    others = [source for source in node.all_input_nodes if source not in inside]
    if not all(draft.is_constant(source) for source in others):
        return False
    if kind(node) in _BINARY:
        return all(len(shape(source)) <= len(turn) for source in others)
    if kind(node) not in {"linear", "layer_norm"} or operand(node) not in inside:
        return False
    return _has_channels_behind(node, turn) and value(node).is_floating_point()


def is_absorbed(node: Node, turn: Turn) -> bool:
    """Whether the call takes the permute in: another permute, or a reduction that leaves the axes in one order."""
    if kind(node) in TRANSPOSES:
        return True
    if op(node) not in _REDUCTIONS or argument(node, "keepdim"):
        return False
    kept = [axis for k, axis in enumerate(turn) if k not in _axes(node)]
    return kept == sorted(kept)


def moved(node: Node, turn: Turn, new: Mapping[Node, Node], edit: Edit) -> Node:
    if kind(node) == "linear":
        return _convolution(node, new, edit)
    if kind(node) == "layer_norm":
        return _norm(node, new, edit)
    if op(node) in _REDUCTIONS:
        return _reduction(node, turn, new, edit)
    if kind(node) in _ALONG_AXIS:
        return _along_axis(node, turn, new, edit)
    return _pointwise(node, turn, new, edit)


def absorbed(node: Node, turn: Turn, new: Mapping[Node, Node], edit: Edit) -> Node:
    if op(node) in _REDUCTIONS:
        return _reduction(node, turn, new, edit)
    left = turn_left(node, turn)
    source = new[operand(node)]
    return source if left == sorted(left) else edit.call(aten.permute.default, source, left)


def turn_left(node: Node, turn: Turn) -> list[int]:
    """The permutation that a permute behind `turn` leaves of both; of a reduction there is none."""
    return [turn[axis] for axis in turn_of(node)] if kind(node) in TRANSPOSES else []


def _is_kept_reduction(node: Node) -> bool:
    return op(node) in _REDUCTIONS and argument(node, "keepdim")


def _has_channels_behind(node: Node, turn: Turn) -> bool:
    if kind(node) == "layer_norm" and len(argument(node, "normalized_shape")) != 1:
        return False
    return len(turn) == 4 and turn[-1] == _CHANNELS


def _axes(node: Node) -> list[int]:
    """Of a reduction; all, where none is named."""
    rank = len(shape(operand(node)))
    named = argument(node, "dim")
    named = [named] if isinstance(named, int) else named
    return [axis % rank for axis in named or range(rank)]


def _reduction(node: Node, turn: Turn, new: Mapping[Node, Node], edit: Edit) -> Node:
    axes = [turn[axis] for axis in _axes(node)]
    return edit.call(node.target, new[operand(node)], axes, *node.args[2:], **node.kwargs)  # type: ignore[arg-type]


def _along_axis(node: Node, turn: Turn, new: Mapping[Node, Node], edit: Edit) -> Node:
    names = [spec.name for spec in node.target._schema.arguments]  # type: ignore[union-attr]
    found = {name: argument(node, name) for name in names}
    found["dim"] = turn[found["dim"] % len(turn)]
    args = map_arg(list(found.values()), lambda source: new[source])
    return edit.call(node.target, *args)  # type: ignore[arg-type, misc]


def _pointwise(node: Node, turn: Turn, new: Mapping[Node, Node], edit: Edit) -> Node:
    def turned(source: Any) -> Any:
        if not isinstance(source, Node) or source in new:
            return new.get(source, source)
        tensor = edit.draft.tensor(source)
        if tensor.numel() == 1:
            return source
        whole = tensor.reshape([1] * (len(turn) - tensor.ndim) + list(tensor.shape))
        return edit.constant(
            whole.permute([turn.index(axis) for axis in range(len(turn))]), "value"
        )

    args = [turned(source) for source in node.args]
    return edit.call(node.target, *args, **node.kwargs)  # type: ignore[arg-type]


def _convolution(node: Node, new: Mapping[Node, Node], edit: Edit) -> Node:
    weight = edit.draft.tensor(argument(node, "weight"))[:, :, None, None]
    bias = argument(node, "bias")
    source = new[operand(node)]
    return edit.call(aten.conv2d.default, source, edit.constant(weight, "weight"), bias)


def _norm(node: Node, new: Mapping[Node, Node], edit: Edit) -> Node:
    """In the words that coremltools knows as a layer norm over the channels, with the affine behind it. The
    deviations are taken before they are squared: nothing cancels."""
    source = new[operand(node)]
    mean = edit.call(aten.mean.dim, source, [_CHANNELS], True)
    deviation = edit.call(aten.sub.Tensor, source, mean)
    square = edit.call(aten.mul.Tensor, deviation, deviation)
    spread = edit.call(aten.mean.dim, square, [_CHANNELS], True)
    scale = edit.call(aten.rsqrt.default, edit.call(aten.add.Tensor, spread, argument(node, "eps")))
    made = edit.call(aten.mul.Tensor, deviation, scale)
    for name, call in (("weight", aten.mul.Tensor), ("bias", aten.add.Tensor)):
        held = argument(node, name)
        if held is not None:
            tensor = edit.draft.tensor(held)[None, :, None, None]
            made = edit.call(call, made, edit.constant(tensor, name))
    return made
