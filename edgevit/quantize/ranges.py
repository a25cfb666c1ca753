"""Encodings of a placement's values, from what calibration has observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.program import Inputs, Program
from edgevit.quantize.encoding import Grid, are_pixels, asymmetric, balanced, to_half
from edgevit.quantize.observers import (
    OBSERVERS,
    WEIGHTED,
    Counted,
    Histogram,
    Observer,
    RangeSource,
)
from edgevit.quantize.op_traits import bounds, sources
from edgevit.quantize.placement import IntegerPlacement
from edgevit.quantize.scheme import FLOAT, QuantScheme
from edgevit.quantize.trained import UNTRAINED, TrainedEncodings

WIDE = {"int16", "uint16"}
_HEADROOM = 2.0  # 16 bits can afford it: what calibration has not shown still fits


class Several:
    """One observer of each kind, at one value. Those that count alike share what they have counted."""

    def __init__(self, names: Iterable[str]) -> None:
        self.observers = {name: OBSERVERS[name]() for name in names}
        self._observing: list[Observer] = []
        shared = Histogram()
        for name, observer in self.observers.items():
            if isinstance(observer, Counted) and name != WEIGHTED:
                observer.seen = shared
                observer = shared
            if name != WEIGHTED and observer not in self._observing:
                self._observing.append(observer)

    def observe(self, x: np.ndarray, weight: np.ndarray | None = None) -> None:
        for observer in self._observing:
            observer.observe(x, weight)

    def observe_gradient(self, x: np.ndarray, gradient: np.ndarray) -> None:
        """Observe the value for the ranges that weigh errors by what they do to the outputs."""
        weight = np.square(gradient, dtype=np.float64)
        if WEIGHTED in self.observers and weight.any() and np.isfinite(weight).all():
            self.observers[WEIGHTED].observe(x, weight)

    def chosen(self, name: str) -> Observer:
        """Return an observer; the plain one where no gradient reached the value."""
        observer = self.observers[name]
        if name == WEIGHTED and observer.range() == (np.inf, -np.inf):
            return self.observers["mse"]
        return observer

    def range(self, balanced: bool = False) -> tuple[float, float]:
        return next(iter(self.observers.values())).range(balanced)


def encodings_of(
    placement: IntegerPlacement,
    observers: Mapping[Node, RangeSource],
    scheme: QuantScheme,
    program: Program,
    types: Mapping[str, str],
    pixels: frozenset[Node] = frozenset(),
    trained: TrainedEncodings = UNTRAINED,
) -> dict[Node, Grid]:
    """Choose an encoding for each value that needs one."""
    together = joined_values(placement, scheme, program)
    encodings: dict[Node, Grid] = {}
    for node in placement.encoded():
        members = together.get(node, [node])
        dtype = _type(members, types, scheme)
        fixed = scheme.fixed.get(kind(node))
        chosen = {trained.of(member, scheme) for member in members}
        if fixed is not None and dtype == fixed.dtype:
            encodings[node] = fixed
        elif len(chosen) == 1 and (grid := chosen.pop()) is not None and dtype == grid.dtype:
            encodings[node] = grid
        elif node in pixels and dtype in {"int8", "uint8"}:
            encodings[node] = asymmetric(0.0, 255.0, dtype)
        else:
            room = _HEADROOM if dtype in WIDE else 1.0
            ranges = [_range(observers[one], one, scheme.symmetric, room) for one in members]
            low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
            encodings[node] = _encoding(low, high, dtype, scheme)
    return encodings


def _type(members: Sequence[Node], types: Mapping[str, str], scheme: QuantScheme) -> str:
    """Return the type of the integers; a call in floats has a copy of its result in the scheme's."""
    named = (types[one.name] for one in members if one.name in types)
    return next((dtype for dtype in named if dtype != FLOAT), scheme.activations)


def _range(observer: RangeSource, node: Node, symmetric: bool, room: float) -> tuple[float, float]:
    least, most = bounds(node) or (-np.inf, np.inf)
    low, high = observer.range(symmetric)
    return max(room * low, least), min(room * high, most)


def _encoding(low: float, high: float, dtype: str, scheme: QuantScheme) -> Grid:
    if dtype == "int16" or scheme.symmetric:
        grid = balanced(low, high, dtype)
    else:
        grid = asymmetric(low, high, dtype)
    return replace(grid, scale=float(to_half(grid.scale))) if scheme.half_scales else grid


def joined_values(
    placement: IntegerPlacement, scheme: QuantScheme, program: Program
) -> dict[Node, list[Node]]:
    """Group values that must share an encoding: the operands and the result of a concatenation."""
    groups: dict[Node, list[Node]] = {}
    encoded = set(placement.encoded())
    for node in placement.calls:
        if kind(node) not in scheme.joined:
            continue
        values = [placement.carried.get(read, read) for read in sources(node, program)]
        own = node if node in encoded else _stored_end(node, encoded)
        members = dict.fromkeys(
            member
            for value in (*values, own)
            if value in encoded
            for member in groups.get(value, [value])
        )
        for member in members:
            groups[member] = list(members)
    return groups


def _stored_end(node: Node, encoded: set[Node]) -> Node:
    while node not in encoded and len(node.users) == 1:
        (node,) = node.users
    return node


def pixel_inputs(program: Program, batches: Iterable[Inputs]) -> frozenset[Node]:
    """Find the inputs whose calibration data are all pixels."""
    columns = zip(program.placeholders(), zip(*batches, strict=True), strict=True)
    return frozenset(
        node
        for node, tensors in columns
        if are_pixels(np.stack([x.detach().numpy() for x in tensors]))
    )
