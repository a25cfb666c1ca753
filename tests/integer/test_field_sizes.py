"""The kernels' fields have 16 bits, or 8: a size beyond them is refused, and never wraps around."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgevit.graph.window import Window
from edgevit.integer.graph import (
    IntegerGraph,
    InvalidOperationError,
    Op,
    OverflowingOperationError,
    Value,
)
from edgevit.integer.ops.products import Linear, MatMul
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.ops.windows import MaxPool

_TABLE = np.r_[2**15, np.zeros(255)].astype(np.uint16)


def _row(length: int) -> Op:
    x = Value("x", (1, length))
    return Softmax((x,), Value("y", x.shape), _TABLE, 2**29, 17)


def _depth(width: int) -> Op:
    return _linear(1, width)


def _columns(count: int) -> Op:
    return _linear(count, 1)


def _linear(count: int, width: int) -> Op:
    x, one = Value("x", (1, width)), np.ones(count, np.int32)
    return Linear((x,), Value("y", (1, count)), np.zeros((count, width), np.int8), one, one)


def _product(depth: int) -> Op:
    a, b = Value("a", (1, 1, depth)), Value("b", (1, 1, depth))
    return MatMul((a, b), Value("y", (1, 1, 1)), 2**20, 0, 0, turned=True)


def _image(width: int) -> Op:
    x = Value("x", (1, width, 1))
    return MaxPool((x,), Value("y", x.shape), Window((1, 1)))


def _stride(stride: int) -> Op:
    x = Value("x", (1, 1, 1))
    return MaxPool((x,), Value("y", x.shape), Window((1, 1), (stride, 1)))


_CASES = [(make, 2**16 - 1) for make in (_depth, _columns, _product, _image)]


@pytest.mark.parametrize(
    ("make", "most"), [*_CASES, (_stride, 255)], ids=lambda x: getattr(x, "__name__", x)
)
def test_the_last_size_and_the_one_after_it(make: Callable[[int], Op], most: int) -> None:
    make(most).check()
    beyond = make(most + 1)
    graph = IntegerGraph("net", beyond.inputs, (), (beyond,), (beyond.output,))
    with pytest.raises(
        OverflowingOperationError, match=f"{most + 1:,}, and the kernels count to {most:,}"
    ):
        graph.verify()


def test_rows_of_a_softmax() -> None:
    """The sum of the exponentials ends before the field does."""
    _row(2**15 - 1).check()
    with pytest.raises(InvalidOperationError, match="the shift"):
        _row(2**15).check()
    with pytest.raises(OverflowingOperationError, match="values in a row"):
        _row(2**16).check()
