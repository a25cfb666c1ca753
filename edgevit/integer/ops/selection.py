"""Selection of rows by places that the network computes: tokens kept, fused or merged.

A place is an int16 with scale 1. What reads one takes the nearest there is where it lies outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgevit.integer.graph import SIZES, Op, Value, require, require_within
from edgevit.quantize import LIMITS

_MOST_PLACES = 2**15 - 1


def _check_places(value: Value) -> None:
    require((value.dtype, value.scale, value.zero) == ("int16", 1.0, 0), f"{value.name}: no places")


def _check_selection(op: Gather | Scatter, whole: Value, places: Value, rows: Value) -> None:
    """Check whole: stack x rows x width; places: stack x count; rows: stack x count x width."""
    require(len(whole.shape) == 3, "a stack of rows")
    stack, count, width = whole.shape
    require(places.shape[0] == stack and len(places.shape) == 2, "a row of places for each stack")
    require(rows.shape == (stack, places.shape[1], width), "a row for each place")
    require_within(max(count, places.shape[1]), "rows", _MOST_PLACES)
    _check_places(places)
    grid = (op.output.dtype, op.output.scale, op.output.zero)
    for value in (whole, rows):
        require((value.dtype, value.scale, value.zero) == grid, f"{value.name}: the scale")


@dataclass(frozen=True, eq=False)
class Order(Op):
    """Places of the largest values of each row, or of the smallest, in order; of equals the first one comes first."""

    kind: ClassVar[str] = "order"
    rising: bool = False  # the smallest first

    def check(self) -> None:
        x, y = self.source, self.output
        require(x.shape[:-1] == y.shape[:-1] and y.shape[-1] <= x.shape[-1], "the shape")
        require(x.dtype in SIZES, "8 or 16 bits in")
        require_within(x.shape[-1], "values in a row", _MOST_PLACES)
        _check_places(y)

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        x = inputs[0].astype(np.int64)
        order = np.argsort(x if self.rising else -x, axis=-1, kind="stable")
        return np.ascontiguousarray(order[..., : self.output.shape[-1]].astype(np.int16))

    def settings(self) -> str:
        return "rising" if self.rising else ""


@dataclass(frozen=True, eq=False)
class Gather(Op):
    """y[s][k] = x[s][places[s][k]], each a row."""

    kind: ClassVar[str] = "gather"

    def check(self) -> None:
        _check_selection(self, self.inputs[0], self.inputs[1], self.output)

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        x, places = inputs
        within = np.clip(places, 0, x.shape[1] - 1).astype(np.int64)
        return np.take_along_axis(x, within[..., None], 1)


@dataclass(frozen=True, eq=False)
class Scatter(Op):
    """y = x, then for each k in order y[s][places[s][k]] = rows[s][k], or clamp(what is there + rows[s][k] - zero)."""

    kind: ClassVar[str] = "scatter"
    adds: bool

    def check(self) -> None:
        whole, places, rows = self.inputs
        require(whole.shape == self.output.shape, "the shape of the output")
        _check_selection(self, whole, places, rows)

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        x, places, rows = inputs
        y, zero = x.astype(np.int64), self.output.zero
        stacks = np.arange(len(y))
        for k, place in enumerate(np.clip(places, 0, x.shape[1] - 1).astype(np.int64).T):
            term = rows[:, k].astype(np.int64)
            if self.adds:
                term = np.clip(y[stacks, place] + term - zero, *LIMITS[self.output.dtype])
            y[stacks, place] = term
        return y.astype(self.output.dtype)

    def settings(self) -> str:
        return "adds" if self.adds else ""


@dataclass(frozen=True, eq=False)
class OneHot(Op):
    """y[k][j] = one where places[k] = first + j, else zero."""

    kind: ClassVar[str] = "one_hot"
    first: int
    zero: int
    one: int

    def check(self) -> None:
        _check_places(self.source)
        require(len(self.output.shape) == 2, "a row for each place")
        require(self.source.size == self.output.shape[0], "a row for each place")
        require(self.output.dtype == "int8", "8 bits out")
        require_within(max(self.output.shape), "rows", _MOST_PLACES)
        require(abs(self.first) <= _MOST_PLACES, "the first place")
        low, high = LIMITS["int8"]
        require(all(low <= level <= high for level in (self.zero, self.one)), "levels of 8 bits")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        every = self.first + np.arange(self.output.shape[1])
        there = inputs[0].reshape(-1, 1).astype(np.int64) == every
        return np.where(there, self.one, self.zero).astype(np.int8)

    def settings(self) -> str:
        return f"from {self.first}"
