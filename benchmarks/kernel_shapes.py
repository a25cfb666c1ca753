"""The operations that kernels are measured on: the sizes of a small vision transformer and of a small hybrid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgevit.integer.graph import Op, Value
from edgevit.integer.ops.moves import Permute
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.pointwise import Add, AddWide, Lookup, Multiply, Rescale
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear, MatMul
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.ops.window import Window
from edgevit.integer.ops.windows import AveragePool, MaxPool

TOKENS, WIDTH = 196, 96
IMAGE = (48, 48, 16)
_RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Shape:
    name: str
    make: Callable[[], Op]
    unit: str = "element"  # MAC, element of the output, or tap: element of a window
    cmsis_m4: str = ""  # CMSIS-NN, measured 2026-07: gcc 12.2
    cmsis_m55: str = ""  # the same with clang 19

    def count(self, op: Op) -> int:
        if self.unit == "MAC":
            return op.macs()
        if isinstance(op, (AveragePool, MaxPool)):
            return op.output.size * op.window.size[0] * op.window.size[1]
        return op.output.size


def random(value: Value) -> np.ndarray:
    """For norms the rows have the deviation that their numerator is made for; all else is uniform."""
    limits = np.iinfo(value.dtype)
    if value.name == "normal":
        drawn = np.rint(_RNG.normal(3, limits.max / 5, value.shape))
        return np.clip(drawn, limits.min, limits.max).astype(value.dtype)
    return _RNG.integers(limits.min, limits.max + 1, value.shape, value.dtype)


def _bytes(*shape: int) -> np.ndarray:
    return _RNG.integers(-127, 128, shape, np.int8)


def _channels(count: int) -> tuple[np.ndarray, np.ndarray]:
    bias = _RNG.integers(-(2**14), 2**14, count).astype(np.int32)
    return bias, _RNG.integers(2**22, 2**23, count).astype(np.int32)


def linear(depth: int, columns: int) -> Op:
    x, y = Value("x", (TOKENS, depth)), Value("y", (TOKENS, columns))
    return Linear((x,), y, _bytes(columns, depth), *_channels(columns))


def queries_by_keys() -> Op:
    q, k = Value("q", (1, TOKENS, 32)), Value("k", (1, TOKENS, 32))
    return MatMul((q, k), Value("y", (1, TOKENS, TOKENS)), 2**22, 0, 3, True)


def shares_by_values() -> Op:
    p, v = Value("p", (1, TOKENS, TOKENS)), Value("v", (1, TOKENS, 32))
    return MatMul((p, v), Value("y", (1, TOKENS, 32)), 2**22, 0, -128, False)


def conv2d(image: tuple[int, int, int], columns: int, window: Window) -> Op:
    x, y = Value("x", image), Value("y", (*window.output(*image[:2]), columns))
    weight = _bytes(columns, *window.size, image[2])
    return Conv2d((x,), y, weight, *_channels(columns), window, 1, 5)


def depthwise(size: int) -> Op:
    x, y = Value("x", IMAGE), Value("y", IMAGE)
    side = size // 2
    window = Window((size, size), padding=(side, side, side, side))
    return Depthwise((x,), y, _bytes(size, size, IMAGE[2]), *_channels(IMAGE[2]), window, 5)


def softmax() -> Op:
    x, y = Value("x", (TOKENS, TOKENS)), Value("y", (TOKENS, TOKENS), zero=-128)
    table = np.rint(65535 * np.exp(-0.04 * np.arange(256))).astype(np.uint16)
    return Softmax((x,), y, table, 2**30, 22)


def norm(width: int, gain: bool = False, dtype: str = "int8") -> Op:
    """A deviation becomes 25 steps of the output, or 3000 before a gain."""
    x, y = Value("normal", (TOKENS, width), dtype), Value("y", (TOKENS, width))
    wanted = (3000 if gain else 25) * width
    shift = int(np.floor(np.log2(2**31 / wanted)))
    if not gain:
        return Norm((x,), y, 1, True, 10, wanted * 2**shift, shift)
    gains = _RNG.integers(-300, 300, width).astype(np.int16)
    bias = _RNG.integers(-(2**16), 2**16, width).astype(np.int32)
    return Norm((x,), y, 1, True, 10, wanted * 2**shift, shift, gains, bias, 15)


def _tokens(name: str, dtype: str = "int8") -> Value:
    return Value(name, (TOKENS, WIDTH), dtype)


def add() -> Op:
    return Add((_tokens("a"), _tokens("b")), _tokens("y"), 180 * 64, 150 * 64, 32, 6)


def add_wide(right: str) -> Op:
    inputs = (_tokens("a", "int16"), _tokens("b", right))
    return AddWide(inputs, _tokens("y", "int16"), 8192, 6000, 4096, 13)


def rescale(source: str, output: str, shift: int) -> Op:
    return Rescale((_tokens("x", source),), _tokens("y", output), 10000, 0, shift)


def lookup() -> Op:
    return Lookup((_tokens("x"),), _tokens("y"), _bytes(256), "gelu")


def multiply(rows: int) -> Op:
    inputs = (_tokens("a"), Value("b", (rows, WIDTH)))
    return Multiply(inputs, _tokens("y"), 5, -3, 1000, 2**25)


def average_pool(image: tuple[int, int, int], window: Window) -> Op:
    y = Value("y", (*window.output(*image[:2]), image[2]))
    return AveragePool((Value("x", image),), y, window, 0, 2**27, 5)


def max_pool(window: Window) -> Op:
    return MaxPool((Value("x", IMAGE),), Value("y", (*window.output(48, 48), 16)), window)


def permute(shape: tuple[int, ...], order: tuple[int, ...]) -> Op:
    y = Value("y", tuple(shape[axis] for axis in order))
    return Permute((Value("x", shape),), y, order)


_SAME = Window((3, 3), padding=(1, 1, 1, 1))
_HALF = Window((3, 3), (2, 2), (1, 1, 1, 1))

PRODUCTS: tuple[Shape, ...] = (
    Shape("linear 96 -> 288", lambda: linear(96, 288), "MAC", "1.86", "0.278"),
    Shape("linear 384 -> 96", lambda: linear(384, 96), "MAC", "1.54", "0.189"),
    Shape("linear 96 -> 384", lambda: linear(96, 384), "MAC"),
    Shape("matmul QK^T, K 32", queries_by_keys, "MAC", "3.43", "0.523"),
    Shape("matmul PV, K 196, N 32", shares_by_values, "MAC"),
    Shape("conv2d 3x3, 48x48, 16 -> 16", lambda: conv2d(IMAGE, 16, _SAME), "MAC", "2.33", "0.380"),
    Shape("conv2d 3x3 stride 2, 48x48, 16 -> 16", lambda: conv2d(IMAGE, 16, _HALF), "MAC"),
    Shape(
        "conv2d 8x8 stride 8, 112x112, 3 -> 96",
        lambda: conv2d((112, 112, 3), 96, Window((8, 8), (8, 8))),
        "MAC",
    ),
    Shape("depthwise 3x3, 48x48x16", lambda: depthwise(3), "MAC", "9.29", "3.32"),
    Shape("depthwise 5x5, 48x48x16", lambda: depthwise(5), "MAC"),
    Shape("depthwise 7x7, 48x48x16", lambda: depthwise(7), "MAC"),
)

OTHERS: tuple[Shape, ...] = (
    Shape("softmax 196", softmax, "element", "153", "53"),
    Shape("norm 96", lambda: norm(96), "element", "none", "none"),
    Shape("norm 96, gain and bias", lambda: norm(96, gain=True), "element", "none", "none"),
    Shape("norm 384", lambda: norm(384), "element", "none", "none"),
    Shape("norm 96 of 16 bits", lambda: norm(96, dtype="int16")),
    Shape("add", add, "element", "81", "8.3"),
    Shape("add 16 + 8 bits", lambda: add_wide("int8")),
    Shape("add 16 + 16 bits", lambda: add_wide("int16")),
    Shape("rescale 16 -> 8 bits", lambda: rescale("int16", "int8", 20)),
    Shape("rescale 8 -> 16 bits", lambda: rescale("int8", "int16", 8)),
    Shape("lookup", lookup, "element", "none", "none"),
    Shape("multiply", lambda: multiply(TOKENS)),
    Shape("multiply by a row", lambda: multiply(1)),
    Shape("average pool 3x3, 48x48x16", lambda: average_pool(IMAGE, _SAME), "tap"),
    Shape("average pool of 12x12x64", lambda: average_pool((12, 12, 64), Window((12, 12))), "tap"),
    Shape("max pool 3x3 stride 2, 48x48x16", lambda: max_pool(_HALF), "tap"),
    Shape("max pool 2x2 stride 2, 48x48x16", lambda: max_pool(Window((2, 2), (2, 2))), "tap"),
    Shape("move: 196x3x32 by heads", lambda: permute((TOKENS, 3, 32), (1, 0, 2))),
    Shape("move: 196x96 turned", lambda: permute((TOKENS, WIDTH), (1, 0))),
)
