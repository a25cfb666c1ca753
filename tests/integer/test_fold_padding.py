"""Padding moves into the windows that read it: the same integers, without the padded image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgevit.graph.window import Window
from edgevit.integer.graph import IntegerGraph, Value
from edgevit.integer.ops.moves import Pad
from edgevit.integer.ops.products import Conv2d, Depthwise
from edgevit.integer.rewrites.fold_padding import fold_padding
from edgevit.integer.simulate import outputs_of

SIDES = st.tuples(st.integers(0, 3), st.integers(0, 3))


def padded(
    window: Window, sides: tuple[tuple[int, int], ...], value: int, pad_value: int, kind: type
) -> IntegerGraph:
    rng = np.random.default_rng(0)
    image = Value("image", (7, 6, 4))
    shape = tuple(n + sum(side) for n, side in zip(image.shape, (*sides, (0, 0)), strict=True))
    pad = Pad((image,), Value("padded", shape), (*sides, (0, 0)), value)
    output = Value("output", (*window.output(*shape[:2]), 4))
    weight = rng.integers(-127, 128, (4, *window.size, 4), np.int8)
    bias, multiplier = np.zeros(4, np.int32), np.full(4, 2**22, np.int32)
    if kind is Conv2d:
        op = Conv2d((pad.output,), output, weight, bias, multiplier, window, 1, pad_value)
    else:
        op = Depthwise((pad.output,), output, weight[0], bias, multiplier, window, pad_value)
    return IntegerGraph("padded", (image,), (), (pad, op), (output,)).verify()


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.integers(1, 2),
    st.integers(1, 2),
    st.tuples(SIDES, SIDES),
    st.sampled_from(((0, 0, 0, 0), (1, 0, 1, 1))),
    st.integers(-128, 127),
    st.booleans(),
    st.sampled_from((Conv2d, Depthwise)),
)
def test_it_computes_the_same_integers(
    size: tuple[int, int],
    stride: int,
    dilation: int,
    sides: tuple[tuple[int, int], ...],
    padding: tuple[int, int, int, int],
    value: int,
    agrees: bool,
    kind: type,
) -> None:
    window = Window(size, (stride, stride), padding, (dilation, dilation))
    image = (7 + sum(sides[0]), 6 + sum(sides[1]))
    assume(min(window.output(*image)) > 0)
    before = padded(window, sides, value, value if agrees else -value - 1, kind)
    after = fold_padding(before).verify()
    x = np.random.default_rng(1).integers(-128, 128, before.inputs[0].shape, np.int8)
    assert np.array_equal(outputs_of(before, (x,))[0], outputs_of(after, (x,))[0])


@pytest.mark.parametrize("kind", [Conv2d, Depthwise])
def test_the_padded_image_is_gone(kind: type) -> None:
    sides = ((0, 1), (1, 1))
    after = fold_padding(padded(Window((3, 3), (2, 2)), sides, 5, 0, kind))
    (op,) = after.ops
    assert (op.window.padding, op.pad_value) == ((0, 1, 1, 1), 5)


def test_padding_with_two_numbers_stays() -> None:
    graph = padded(Window((3, 3), padding=(1, 1, 1, 1)), ((0, 1), (0, 1)), 5, 0, Conv2d)
    assert [op.kind for op in fold_padding(graph).ops] == ["pad", "conv2d"]


def test_another_reader_keeps_the_padded_image() -> None:
    graph = padded(Window((3, 3)), ((1, 1), (1, 1)), 0, 0, Conv2d)
    seen = replace(graph, outputs=(*graph.outputs, graph.ops[0].output))
    assert [op.kind for op in fold_padding(seen).ops] == ["pad", "conv2d"]
