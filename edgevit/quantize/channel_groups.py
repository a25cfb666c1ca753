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

import numpy as np
import torch
from torch.fx.node import Node, map_arg

from edgevit.graph.aten import argument, kind, operand, run_call
from edgevit.graph.program import Program, shape
from edgevit.graph.tensors import from_numpy
from edgevit.quantize.op_traits import MOVES, PROJECTIONS, bounds, is_constant, is_real, pad_value

_SUMS = frozenset({"add", "sub"})
_BY_CHANNEL = frozenset({"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "upsample_nearest2d"})
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


def track(program: Program) -> Tracked:
    tracked = Tracked(Labels(), {}, {}, {})
    for node in program.graph.nodes:
        if node.op == "output":
            _fix(list(node.all_input_nodes), tracked)
        elif node.op == "call_function" and is_real(node):
            tracked.of[node] = _called(node, tracked, program)
        elif node.op != "call_function" and not is_constant(node, program):
            tracked.of[node] = np.zeros(shape(node), np.int64)
        elif node.op == "call_function":
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
    labels, axes = tracked.of[operand(node)], argument(node, "dim")
    dims = (axes,) if isinstance(axes, int) else tuple(axes or range(labels.ndim))
    least, most = labels.min(dims), labels.max(dims)
    if (least != most).any():
        tracked.labels.fix(labels)
    return least.reshape(shape(node))


def _moved(node: Node, tracked: Tracked) -> np.ndarray:
    def labels(read: Node) -> torch.Tensor:
        return from_numpy(tracked.of[read].astype(np.float64))

    args, kwargs = map_arg(node.args, labels), map_arg(node.kwargs, labels)
    with torch.no_grad():
        return run_call(node, *args, **kwargs).long().numpy()
