"""Groups of channels that must share one factor, found by propagating a label per channel.

conv(x)          its output channels get fresh labels; the labels of its input are those that its weights can undo
relu, pools      let a factor above zero through
a + b            the labels of both terms are the same
reshape, cat ... move the labels, by being called on them
anything else    does not let a factor through: its labels are fixed, which is label 0
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, mapped_arguments, operand
from edgevit.graph.program import Program, shape
from edgevit.graph.tensors import from_numpy, integer_array
from edgevit.quantize.op_traits import MOVES, PROJECTIONS, bounds, is_constant, is_real, pad_value
from edgevit.quantize.shared_weights import sharing

_SUMS = frozenset({"add", "sub"})
_BY_CHANNEL = frozenset({"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "upsample_nearest2d"})
# Of a product of activations: the places of its left and its right side.
_ATTENTION = frozenset(
    {"scaled_dot_product_attention"}
)  # only the values are a side of the product
_SIDES = {"bmm": (0, 1), "matmul": (0, 1), "scaled_dot_product_attention": (0, 2)}
_IN_PIECES = frozenset({"unbind", "split", "split_with_sizes", "chunk", "tensor_split"})
FIXED = 0


class Labels:
    """Union-find of labels.

    Each set has the name of its least member: the fixed set keeps label 0.
    """

    def __init__(self) -> None:
        self._parent = [FIXED]

    def fresh(self, count: int) -> np.ndarray:
        start = len(self._parent)
        self._parent += range(start, start + count)
        return np.arange(start, start + count)

    def name(self, label: int) -> int:
        while self._parent[label] != label:
            self._parent[label] = self._parent[self._parent[label]]
            label = self._parent[label]
        return label

    def names(self, labels: np.ndarray) -> np.ndarray:
        return np.array([self.name(int(label)) for label in labels.ravel()]).reshape(labels.shape)

    def join(self, one: np.ndarray, other: np.ndarray) -> None:
        for a, b in np.unique(np.stack([one.ravel(), other.ravel()], 1), axis=0):
            first, second = sorted((self.name(int(a)), self.name(int(b))))
            self._parent[second] = first

    def fix(self, labels: np.ndarray) -> None:
        distinct = np.unique(labels)
        self.join(distinct, np.zeros_like(distinct))


@dataclass(frozen=True)
class Tracked:
    """Labels of each real value, in its shape, and of each projection, by channel: inputs and
    outputs.
    """

    labels: Labels
    of: dict[Node, np.ndarray]
    inputs: dict[Node, np.ndarray]
    outputs: dict[Node, np.ndarray]


def track(program: Program, products: bool = False) -> Tracked:
    """Label every channel; `products` lets factors through products of activations."""
    tracked = Tracked(Labels(), {}, {}, {})
    shared = {node for group in sharing(program) for node in group}
    for node in program.graph.nodes:
        if node.op == "output":
            _fix(list(node.all_input_nodes), tracked)
        elif node.op == "call_function" and is_real(node):
            beyond = _beyond_layers(node, tracked) if products else None
            tracked.of[node] = _called(node, tracked, program) if beyond is None else beyond
            if node in shared:  # a factor for one of its calls would part the weight
                tracked.labels.fix(tracked.of[node])
                _fix([operand(node)], tracked)
        elif node.op != "call_function" and not is_constant(node, program):
            tracked.of[node] = np.zeros(shape(node), np.int64)
        elif node.op == "call_function" and not (products and kind(node) in _IN_PIECES):
            _fix(node.all_input_nodes, tracked)
    return tracked


def _fix(nodes: list[Node], tracked: Tracked) -> None:
    for node in nodes:
        if node in tracked.of:
            tracked.labels.fix(tracked.of[node])


def _called(node: Node, tracked: Tracked, program: Program) -> np.ndarray:
    read = [source for source in node.all_input_nodes if source in tracked.of]
    name = kind(node)
    whole = len(read) == len(node.all_input_nodes)
    if _is_projection(node, program) and len(read) == 1:
        return _projected(node, tracked)
    if name in _BY_CHANNEL or _pads_images(node):
        return _by_channel(node, tracked)
    if bounds(node) == (0.0, math.inf):
        return tracked.of[read[0]]
    if name in _SUMS and whole and {shape(one) for one in read} == {shape(node)}:
        for other in read[1:]:
            tracked.labels.join(tracked.of[read[0]], tracked.of[other])
        return tracked.of[read[0]]
    if name == "mul" and len(read) == 2 and whole and shape(read[0]) == shape(node):
        _fix(read[1:], tracked)
        return tracked.of[read[0]]
    if name == "mean":
        return _mean(node, tracked)
    if (name in MOVES or name == "cat") and whole:
        return _moved(node, tracked)
    _fix(read, tracked)
    return np.zeros(shape(node), np.int64)


def _beyond_layers(node: Node, tracked: Tracked) -> np.ndarray | None:
    """Return the labels of a product's result, or of a piece of a value; None for another call."""
    if kind(node) == "select":
        return _moved(node, tracked)
    if kind(node) == "getitem" and kind(operand(node)) in _IN_PIECES:
        pieces = operand(node)
        every = _called_on_labels(pieces, tracked)
        return integer_array(every[node.args[1]])
    return _product(node, tracked)


def _product(node: Node, tracked: Tracked) -> np.ndarray | None:
    """Return the labels of a product of activations; None for another call.

    A factor of a column of the right side is one of the result's column, and a factor of a row of
    the left side one of its row: of one side, where the other has none.
    """
    sides = _SIDES.get(kind(node))
    if sides is None:
        return None
    left, right = (node.args[place] for place in sides)
    reads = [read for read in node.all_input_nodes if read in tracked.of]
    for free, other, rows in ((right, left, False), (left, right, True)):
        through = not _has_factors(other, tracked) or kind(node) in _ATTENTION
        if through and _has_factors(free, tracked):
            _fix([read for read in reads if read is not free], tracked)
            return _of_side(tracked.of[free], shape(node), rows, tracked.labels)  # type: ignore[index]
    _fix(reads, tracked)
    return np.zeros(shape(node), np.int64)


def _has_factors(node: object, tracked: Tracked) -> bool:
    labels = tracked.of.get(node) if isinstance(node, Node) else None
    return labels is not None and bool(tracked.labels.names(np.unique(labels)).any())


def _of_side(labels: np.ndarray, sizes: tuple[int, ...], rows: bool, names: Labels) -> np.ndarray:
    """Join the labels along the axis that is summed, and spread them over the result."""
    if labels.ndim != len(sizes) or labels.shape[:-2] != sizes[:-2]:
        names.fix(labels)
        return np.zeros(sizes, np.int64)
    axis = -1 if rows else -2
    first = labels.take([0], axis)
    for place in np.flatnonzero(
        (labels != first).any(tuple({*range(labels.ndim)} - {labels.ndim + axis}))
    ):
        names.join(labels.take([place], axis), first)
    return np.broadcast_to(first, sizes)


def _is_projection(node: Node, program: Program) -> bool:
    if kind(node) not in PROJECTIONS:
        return False
    parameters = argument(node, "weight"), argument(node, "bias")
    return all(one is None or is_constant(one, program) for one in parameters)


def _pads_images(node: Node) -> bool:
    """Check for a pad with zeros along other axes than the channels'."""
    if kind(node) not in {"pad", "constant_pad_nd"} or pad_value(node) != 0.0:
        return False
    return len(shape(node)) == 4 and len(argument(node, "pad")) <= 4


def _projected(node: Node, tracked: Tracked) -> np.ndarray:
    source, sizes = tracked.of[operand(node)], shape(node)
    axis = source.ndim - 1 if kind(node) == "linear" else 1
    tracked.inputs[node] = _channels(source, axis, tracked.labels)
    axis = len(sizes) - 1 if kind(node) == "linear" else 1
    tracked.outputs[node] = tracked.labels.fresh(sizes[axis])
    return _along(tracked.outputs[node], axis, sizes)


def _by_channel(node: Node, tracked: Tracked) -> np.ndarray:
    return _along(_channels(tracked.of[operand(node)], 1, tracked.labels), 1, shape(node))


def _channels(labels: np.ndarray, axis: int, groups: Labels) -> np.ndarray:
    """Return one label for each channel; labels that differ within a channel are joined."""
    rows = np.moveaxis(labels, axis, 0).reshape(labels.shape[axis], -1)
    mixed = rows[(rows != rows[:, :1]).any(1)]
    for row in mixed:
        groups.join(row, np.full_like(row, row[0]))
    return rows[:, 0]


def _along(labels: np.ndarray, axis: int, sizes: tuple[int, ...]) -> np.ndarray:
    column = labels.reshape([-1 if place == axis else 1 for place in range(len(sizes))])
    return np.broadcast_to(column, sizes)


def _mean(node: Node, tracked: Tracked) -> np.ndarray:
    """Return the label shared by each group of reduced elements.

    All labels are fixed where some group has several.
    """
    labels = tracked.of[operand(node)]
    axes = argument(node, "dim") if has_argument(node, "dim") else None
    dims = (axes,) if isinstance(axes, int) else tuple(axes or range(labels.ndim))
    least, most = labels.min(dims), labels.max(dims)
    if (least != most).any():
        tracked.labels.fix(labels)
    return least.reshape(shape(node))


def _moved(node: Node, tracked: Tracked) -> np.ndarray:
    return integer_array(_called_on_labels(node, tracked))


def _called_on_labels(node: Node, tracked: Tracked) -> Any:
    """Call the node's operator on the labels of what it reads."""

    def labels(read: Node) -> torch.Tensor:
        return from_numpy(tracked.of[read].astype(np.float64))

    args, kwargs = mapped_arguments(node, labels)
    with torch.no_grad():
        return node.target(*args, **kwargs)  # type: ignore[operator]
