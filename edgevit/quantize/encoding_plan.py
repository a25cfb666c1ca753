"""Assignment of grids: which values have one of their own, which share one, and its constraints.

A producer is put on the grid of the last step that only moves, clamps or joins its values, when nothing else reads them:

    relu(conv(x))          the convolution is put on the grid of the relu, whose lowest point is zero: the clamp to 8 bits is the relu
    cat([conv(x), y])      the convolution is put on the grid of the whole
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import cache

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.program import Program
from edgevit.quantize.encoding import PIXELS, Grid, asymmetric, symmetric, wide
from edgevit.quantize.observers import RangeSource
from edgevit.quantize.op_traits import (
    bounds,
    is_move,
    is_norm_without_bias,
    is_real,
    sources,
)
from edgevit.quantize.pointwise_regions import Regions
from edgevit.quantize.residual_stream import before_moves, residual_stream, state_stream

_PRODUCTS = frozenset({"bmm", "matmul", "mm"})
_SAMPLES = 4096  # of a function, to find where it is flat


class EncodingPlan:
    """`deep` values have 16 bits, and so have the copies that all of their readers read."""

    def __init__(
        self, program: Program, wide_stream: bool, deep: frozenset[Node] = frozenset()
    ) -> None:
        self.program = program
        self._deep = deep
        stream = residual_stream(program) if wide_stream else state_stream(program)
        wide = deep | stream
        inputs, outputs = program.placeholders(), program.outputs()
        # of each state the value, before moves, that it is the next time
        self.states = {inputs[k]: before_moves(outputs[j], program) for k, j in program.states}
        self._wide = wide | {state for state, after in self.states.items() if after in wide}
        self.regions = Regions(program, self._is_fused)
        self._sinks: dict[Node, Node] = {}
        self._first = {inputs[k]: first for (k, _), first in zip(program.states, program.initial, strict=True)}  # fmt: skip

    def is_wide(self, node: Node) -> bool:
        return node in self._wide and (node in self._deep or node not in self.regions.root)

    def is_deep(self, node: Node) -> bool:
        """Check for a value, before moves, that all read in 16 bits."""
        return before_moves(node, self.program) in self._deep

    def is_fused(self, node: Node) -> bool:
        """Check for a clamp that the grid of its producer performs."""
        return bounds(node) is not None and node not in self.regions.root

    def _is_fused(self, node: Node, root: dict[Node, Node]) -> bool:
        source = sources(node, self.program)[0]
        if bounds(node) is None or source in root or len(source.users) > 1:
            return False
        while is_move(source):
            (source,) = sources(source, self.program)
            if len(source.users) > 1:
                return False
        return self._is_free(source)

    def _is_free(self, node: Node) -> bool:
        """Check that the grid of a value may be chosen."""
        fixed = node.op == "placeholder" or node in self._wide or kind(node) == "softmax"
        return not fixed and not is_norm_without_bias(node)

    def sink(self, node: Node) -> Node:
        """Return the last of the moves, concatenations and fused clamps behind a value: it decides
        the grid.
        """
        if node not in self._sinks:
            self._sinks[node] = self._next(node)
        return self._sinks[node]

    def _next(self, node: Node) -> Node:
        if len(node.users) != 1 or not self._is_free(node):
            return node
        (user,) = node.users
        through = is_move(user) or kind(user) == "cat" or self.is_fused(user)
        return self.sink(user) if through and is_real(user) else node

    def decides(self, node: Node) -> Node:
        """Return the value whose grid a state has, so that it is handed over as it is; any other value is its own."""
        passed = {node}
        while (after := self.states.get(node)) is not None and after not in passed:
            node = after
            passed.add(node)
        return node

    def firsts(self, node: Node) -> list[torch.Tensor]:
        """List what the states on the grid of `node` are before the first call."""
        return [first for state, first in self._first.items() if self.decides(state) is node]

    def observed(self) -> list[Node]:
        """List the values whose range calibration must find."""
        return [
            node
            for node in self.program.graph.nodes
            if node.op in {"placeholder", "call_function"}
            and is_real(node)
            and self.sink(node) is node
            and not self.regions.inside(node)
        ]

    def needs_balance(self, node: Node) -> bool:
        """Check for a value that needs a symmetric grid: the right side of a matrix product has no
        zero point.
        """
        if any(after is node and self._feeds_product(s) for s, after in self.states.items()):
            return True
        return self._feeds_product(node)

    def _feeds_product(self, node: Node) -> bool:
        for user in node.users:
            if kind(user) in _PRODUCTS and user.args[1] is node:
                return True
            if is_move(user) and self._feeds_product(user):
                return True
        return False


class Grids:
    """Grid of each value, from the calibrated ranges."""

    def __init__(
        self,
        plan: EncodingPlan,
        observers: Mapping[Node, RangeSource],
        pixels: Set[Node] = frozenset(),
    ) -> None:
        self._plan = plan
        self._pixels = pixels
        self._observers = observers
        self.of = cache(self._of)

    def _of(self, node: Node) -> Grid:
        """Choose the best 8-bit grid of `node`."""
        node = self._plan.decides(node)
        if node in self._pixels:
            return PIXELS
        sink = self._plan.sink(node)
        balanced = self._plan.needs_balance(node) or self._plan.needs_balance(sink)
        low, high = self._with_first(node, *self._observers[sink].range(balanced))
        if balanced:
            return symmetric(low, high)
        least, most = bounds(sink) or (-np.inf, np.inf)
        return asymmetric(*self._where_it_matters(sink, max(low, least), min(high, most)))

    def stored(self, node: Node) -> Grid:
        """Return the grid that `node` is stored on: of 16 bits in the residual stream."""
        return self.wide(node) if self._plan.is_wide(node) else self.of(node)

    def wide(self, node: Node) -> Grid:
        """Return the grid of 16 bits of `node`, or of the value that decides its grid."""
        node = self._plan.decides(node)
        sink = self._plan.sink(node)
        low, high = self._with_first(node, *self._observers[sink].range())
        if self._plan.is_deep(node):  # a function's pieces are as long as its range is wide
            low, high = self._where_it_matters(sink, low, high)
        return wide(low, high)

    def _with_first(self, node: Node, low: float, high: float) -> tuple[float, float]:
        """Widen a state's range to its first value: a sequence has it once, and calibration may clip it as an outlier."""
        for first in self._plan.firsts(node):
            low, high = min(low, float(first.min())), max(high, float(first.max()))
        return low, high

    def peak(self, node: Node) -> float:
        """Return the largest value that is worth an integer."""
        return self._observers[node].range()[1]

    def _where_it_matters(self, node: Node, low: float, high: float) -> tuple[float, float]:
        """Trim the ends of a range where every function that reads the value is flat."""
        ends = self._plan.regions.ends(node)
        readers = [user for user in node.users if self._plan.regions.root.get(user) is not node]
        if not ends or readers or not low < high:
            return low, high
        x = np.linspace(low, high, _SAMPLES)
        first, last = _SAMPLES - 1, 0
        for end in ends:
            grid = self.of(end)
            y = np.clip(self._plan.regions.function(end, {}, 1.0)(x), grid.low, grid.high)
            half = 0.5 * grid.scale
            first = min(first, _flat_from_the_left(y, half))
            last = max(last, _SAMPLES - 1 - _flat_from_the_left(y[::-1], half))
        return float(x[first]), float(x[max(last, first)])


def _flat_from_the_left(y: np.ndarray, half: float) -> int:
    """Return the last index before which everything differs by less than half a step."""
    spread = np.maximum(np.maximum.accumulate(y) - y, y - np.minimum.accumulate(y))
    far = np.flatnonzero(spread > half)
    return int(far[0]) - 1 if len(far) else len(y) - 1
