"""No accumulator of 32 bits can overflow: an operation whose largest sum does not fit is never made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.graph.window import Window
from edgevit.integer.graph import IntegerGraph, InvalidOperationError, Op, Value
from edgevit.integer.lowering.parameters import (
    Weights,
    channels,
    fitting_sum,
    narrow_sum,
    wide_sum_if_it_fits,
)
from edgevit.integer.ops.pointwise import Add, AddWide, Multiply, Rescale
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear, MatMul
from edgevit.integer.ops.windows import AveragePool
from edgevit.quantize.encoding import Grid
from edgevit.quantize.input_covariance import Moments

LAST = 2**31 - 1
IMAGE = Value("x", (4, 4, 8))
ROW, WIDE = Value("x", (1, 8)), Value("w", (1, 8), "int16")
STACK = Value("a", (1, 4, 64))
ONE, THREE = Window((1, 1)), Window((3, 3), padding=(1, 1, 1, 1))


def bias(count: int, most: int) -> np.ndarray:
    return np.array([0] * (count - 1) + [most], np.int64).astype(np.int32)


def projections(most: int) -> list[Op]:
    """The last channel's bias is `most` short of nothing, or one more."""
    numbers = np.full(8, 2**20, np.int32)
    rows = np.full((8, 8), -128, np.int8)
    taps = np.full((8, 3, 3, 8), -128, np.int8)
    own = np.full((3, 3, 8), -128, np.int8)
    return [
        Linear((ROW,), replace(ROW, name="y"), rows, bias(8, most - 128 * 128 * 8), numbers),
        Conv2d((IMAGE,), replace(IMAGE, name="y"), taps, bias(8, most - 128 * 128 * 72), numbers, THREE, 1, 0),
        Depthwise((IMAGE,), replace(IMAGE, name="y"), own, bias(8, most - 128 * 128 * 9), numbers, THREE, 0),
    ]  # fmt: skip


def others(most: int) -> list[Op]:
    scores = Value("y", (1, 4, 4))
    row, wide = replace(ROW, name="y"), replace(WIDE, name="y")
    return [
        MatMul((STACK, replace(STACK, name="b")), scores, 2**20, most - 64 * 255 * 128, 0, turned=True),
        Multiply((ROW, replace(ROW, name="b")), row, 0, 0, most - 255 * 255, 2**20),
        AveragePool((IMAGE,), replace(IMAGE, name="y"), ONE, most - 128, 2**20, 0),
        AddWide((WIDE, replace(ROW, name="b")), wide, 2**14, 2**14, most - 2**29 - 2**21, 8),
        Rescale((WIDE,), row, 2**14, most - 2**29, 8),
    ]  # fmt: skip


@pytest.mark.parametrize("op", [*projections(LAST), *others(LAST)], ids=lambda op: op.kind)
def test_the_last_that_fits(op: Op) -> None:
    op.check()


@pytest.mark.parametrize("op", [*projections(LAST + 1), *others(LAST + 1)], ids=lambda op: op.kind)
def test_one_more_is_refused(op: Op) -> None:
    graph = IntegerGraph("net", tuple(op.inputs), (), (op,), (op.output,))
    with pytest.raises(InvalidOperationError, match="overflows"):
        graph.verify()


def test_lanes_of_16_bits() -> None:
    fits = Add((ROW, replace(ROW, name="b")), replace(ROW, name="y"), 2**14, 2**14, 2**14 - 3, 8)
    fits.check()
    with pytest.raises(InvalidOperationError, match="16 bits"):
        replace(fits, offset=2**14 - 2).check()


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 3000),
    size=st.floats(1e-6, 1e6),
    shift=st.floats(-1e9, 1e9),
    zero=st.integers(-128, 127),
    coarse=st.floats(1e-6, 1e3),
    known=st.booleans(),
)
def test_whatever_the_weights_are(
    width: int, size: float, shift: float, zero: int, coarse: float, known: bool
) -> None:
    """What import makes of real weights fits, the largest inputs included."""
    taps = np.random.default_rng(width).normal(size=(2, width)) * size
    width = min(width, 40) if known else width
    inputs = Moments(np.ones((1, width)), np.eye(width)[None], 10) if known else None
    weights = Weights(taps[:, :width], np.array([shift, 0.0]), inputs)
    found = channels(weights, Grid(coarse, zero), Grid(0.05, 3))
    numbers = found.weight, found.bias, found.multiplier
    x, y = Value("x", (1, width), zero=zero), Value("y", (1, 2), zero=3)
    Linear((x,), y, *numbers).check()
    worst = np.where(found.weight < 0, -128, 127).astype(np.int64)
    acc = (worst * found.weight).sum(1) + found.bias
    assert np.abs(acc).max() < 2**31


@pytest.mark.parametrize(("shift", "end"), [(-1e9, -128), (1e9, 127)])
def test_a_bias_beyond_all_leaves_an_end_of_the_grid(shift: float, end: int) -> None:
    weights = Weights(np.random.default_rng(0).normal(size=(2, 40)), np.array([shift, 0.0]))
    found = channels(weights, Grid(0.1), Grid(0.05, 3))
    assert found.grid == Grid(0.05, 3)  # the other channel keeps its steps
    x, y = Value("x", (9, 40)), Value("y", (9, 2))
    op = Linear((x,), y, found.weight, found.bias, found.multiplier)
    ends = np.where(found.weight[0] < 0, -128, 127).astype(np.int8)
    inputs = np.random.default_rng(1).integers(-128, 128, (9, 40), np.int8)
    inputs[0], inputs[1] = ends, ~ends
    assert (op.run(inputs)[:, 0] == end).all()


@pytest.mark.parametrize(("find", "dtype"), [(narrow_sum, "int8"), (wide_sum_if_it_fits, "int16")])
def test_a_sum_has_larger_steps_where_a_term_has(find: Any, dtype: str) -> None:
    coarse, fine = Grid(65.0, 0, dtype), Grid(0.001, 0, dtype)
    assert find(coarse, fine, fine, 1) is None
    grid, parameters = fitting_sum(find, coarse, fine, fine, 1)
    assert fine.scale < grid.scale < coarse.scale
    assert abs(parameters.left) < 2**15
