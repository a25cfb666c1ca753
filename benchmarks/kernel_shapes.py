"""The operations that kernels are measured on: the sizes of a small vision transformer and of a small hybrid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgevit.graph.window import Window
from edgevit.integer.graph import Op, Value
from edgevit.integer.ops.moves import Permute
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.pointwise import Add, AddWide, Curve, Lookup, Multiply, Rescale
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear, MatMul
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.ops.windows import AveragePool, MaxPool

TOKENS, WIDTH = 196, 96
IMAGE = (48, 48, 16)
Rng = np.random.Generator


@dataclass(frozen=True)
class Shape:
    name: str
    make: Callable[[Rng], Op]
    unit: str = "element"  # MAC, element of the output, or tap: element of a window
    cmsis_m4: str = ""  # CMSIS-NN, measured 2026-07 at 196 tokens: gcc
    cmsis_m55: str = ""  # the same with clang 19

    def count(self, op: Op) -> int:
        if self.unit == "MAC":
            return op.macs()
        if isinstance(op, (AveragePool, MaxPool)):
            return op.output.size * op.window.size[0] * op.window.size[1]
        return op.output.size


def random(rng: Rng, value: Value) -> np.ndarray:
    """For norms the rows have the deviation that their numerator is made for; all else is uniform."""
    limits = np.iinfo(value.dtype)
    if value.name == "normal":
        drawn = np.rint(rng.normal(3, limits.max / 5, value.shape))
        return np.clip(drawn, limits.min, limits.max).astype(value.dtype)
    return rng.integers(limits.min, limits.max + 1, value.shape, value.dtype)


def _bytes(rng: Rng, *shape: int) -> np.ndarray:
    return rng.integers(-127, 128, shape, np.int8)


def _channels(rng: Rng, count: int) -> tuple[np.ndarray, np.ndarray]:
    bias = rng.integers(-(2**14), 2**14, count).astype(np.int32)
    return bias, rng.integers(2**22, 2**23, count).astype(np.int32)


def linear(rng: Rng, depth: int, columns: int) -> Op:
    x, y = Value("x", (TOKENS, depth)), Value("y", (TOKENS, columns))
    return Linear((x,), y, _bytes(rng, columns, depth), *_channels(rng, columns))


def queries_by_keys(_: Rng) -> Op:
    q, k = Value("q", (1, TOKENS, 32)), Value("k", (1, TOKENS, 32))
    return MatMul((q, k), Value("y", (1, TOKENS, TOKENS)), 2**22, 0, 3, True)


def shares_by_values(_: Rng) -> Op:
    p, v = Value("p", (1, TOKENS, TOKENS)), Value("v", (1, TOKENS, 32))
    return MatMul((p, v), Value("y", (1, TOKENS, 32)), 2**22, 0, -128, False)


def conv2d(rng: Rng, image: tuple[int, int, int], columns: int, window: Window) -> Op:
    x, y = Value("x", image), Value("y", (*window.output(*image[:2]), columns))
    weight = _bytes(rng, columns, *window.size, image[2])
    return Conv2d((x,), y, weight, *_channels(rng, columns), window, 1, 5)


def depthwise(rng: Rng, size: int) -> Op:
    x, y = Value("x", IMAGE), Value("y", IMAGE)
    side = size // 2
    window = Window((size, size), padding=(side, side, side, side))
    return Depthwise(
        (x,), y, _bytes(rng, size, size, IMAGE[2]), *_channels(rng, IMAGE[2]), window, 5
    )


def softmax(_: Rng) -> Op:
    x, y = Value("x", (TOKENS, TOKENS)), Value("y", (TOKENS, TOKENS), zero=-128)
    table = np.rint(65535 * np.exp(-0.04 * np.arange(256))).astype(np.uint16)
    return Softmax((x,), y, table, 2**30, 22)


def norm(rng: Rng, width: int, gain: bool = False, dtype: str = "int8", steps: int = 25) -> Op:
    """A deviation becomes `steps` of the output, or 3000 before a gain."""
    x, y = Value("normal", (TOKENS, width), dtype), Value("y", (TOKENS, width))
    wanted = (3000 if gain else steps) * width
    shift = int(np.floor(np.log2(2**31 / wanted)))
    if not gain:
        return Norm((x,), y, 1, True, 10, wanted * 2**shift, shift)
    gains = rng.integers(-300, 300, width).astype(np.int16)
    bias = rng.integers(-(2**16), 2**16, width).astype(np.int32)
    return Norm((x,), y, 1, True, 10, wanted * 2**shift, shift, gains, bias, 15)


def _tokens(name: str, dtype: str = "int8") -> Value:
    return Value(name, (TOKENS, WIDTH), dtype)


def add(shift: int) -> Op:
    factors = (180 << shift, 150 << shift, 1 << (shift - 1))
    return Add((_tokens("a"), _tokens("b")), _tokens("y"), *factors, shift)


def add_wide(right: str) -> Op:
    inputs = (_tokens("a", "int16"), _tokens("b", right))
    return AddWide(inputs, _tokens("y", "int16"), 8192, 6000, 4096, 13)


def rescale(source: str, output: str, shift: int) -> Op:
    return Rescale((_tokens("x", source),), _tokens("y", output), 10000, 0, shift)


def lookup(rng: Rng) -> Op:
    return Lookup((_tokens("x"),), _tokens("y"), _bytes(rng, 256), "gelu")


def curve(rng: Rng) -> Op:
    table = rng.integers(-(2**15), 2**15, 513).astype(np.int16)
    return Curve((_tokens("x", "int16"),), _tokens("y", "int16"), table, "silu")


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
    Shape(
        "linear 96 -> 288", lambda rng: linear(rng, 96, 288), "MAC", "FC 2.39, 1x1 1.86", "0.278"
    ),
    Shape(
        "linear 384 -> 96", lambda rng: linear(rng, 384, 96), "MAC", "FC 2.01, 1x1 1.54", "0.189"
    ),
    Shape("linear 96 -> 384", lambda rng: linear(rng, 96, 384), "MAC"),
    Shape("matmul QK^T, K 32", queries_by_keys, "MAC", "3.43", "0.523"),
    Shape("matmul PV, K 196, N 32", shares_by_values, "MAC"),
    Shape(
        "conv2d 3x3, 48x48, 16 -> 16",
        lambda rng: conv2d(rng, IMAGE, 16, _SAME),
        "MAC",
        "2.33",
        "0.380",
    ),
    Shape("conv2d 3x3, 8x8, 256 -> 256", lambda rng: conv2d(rng, (8, 8, 256), 256, _SAME), "MAC"),
    Shape("conv2d 3x3 stride 2, 48x48, 16 -> 16", lambda rng: conv2d(rng, IMAGE, 16, _HALF), "MAC"),
    Shape(
        "conv2d 8x8 stride 8, 112x112, 3 -> 96",
        lambda rng: conv2d(rng, (112, 112, 3), 96, Window((8, 8), (8, 8))),
        "MAC",
    ),
    Shape("depthwise 3x3, 48x48x16", lambda rng: depthwise(rng, 3), "MAC", "9.29", "3.32"),
    Shape("depthwise 5x5, 48x48x16", lambda rng: depthwise(rng, 5), "MAC"),
    Shape("depthwise 7x7, 48x48x16", lambda rng: depthwise(rng, 7), "MAC"),
)

OTHERS: tuple[Shape, ...] = (
    Shape("softmax 196", softmax, "element", "153", "53"),
    Shape("norm 96", lambda rng: norm(rng, 96), "element", "none", "none"),
    Shape(
        "norm 96, gain and bias", lambda rng: norm(rng, 96, gain=True), "element", "none", "none"
    ),
    Shape("norm 96 to few steps", lambda rng: norm(rng, 96, steps=5)),
    Shape("norm 384", lambda rng: norm(rng, 384), "element", "none", "none"),
    Shape("norm 96 of 16 bits", lambda rng: norm(rng, 96, dtype="int16")),
    Shape("add", lambda _: add(6), "element", "81", "8.3"),
    Shape("add, shift 5", lambda _: add(5)),
    Shape("add 16 + 8 bits", lambda _: add_wide("int8")),
    Shape("add 16 + 16 bits", lambda _: add_wide("int16")),
    Shape("rescale 16 -> 8 bits", lambda _: rescale("int16", "int8", 20)),
    Shape("rescale 8 -> 16 bits", lambda _: rescale("int8", "int16", 8)),
    Shape("lookup", lookup, "element", "none", "none"),
    Shape("function of 16 bits", curve, "element", "none", "none"),
    Shape("multiply", lambda _: multiply(TOKENS)),
    Shape("multiply by a row", lambda _: multiply(1)),
    Shape("average pool 3x3, 48x48x16", lambda _: average_pool(IMAGE, _SAME), "tap"),
    Shape(
        "average pool of 12x12x64", lambda _: average_pool((12, 12, 64), Window((12, 12))), "tap"
    ),
    Shape(
        "average pool of 24x24x16", lambda _: average_pool((24, 24, 16), Window((24, 24))), "tap"
    ),
    Shape("max pool 3x3 stride 2, 48x48x16", lambda _: max_pool(_HALF), "tap"),
    Shape("max pool 2x2 stride 2, 48x48x16", lambda _: max_pool(Window((2, 2), (2, 2))), "tap"),
    Shape("move: 196x3x32 by heads", lambda _: permute((TOKENS, 3, 32), (1, 0, 2))),
    Shape("move: 196x96 turned", lambda _: permute((TOKENS, WIDTH), (1, 0))),
)
