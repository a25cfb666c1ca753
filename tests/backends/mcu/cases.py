"""Random one-operation graphs with their inputs: what every kernel is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from edgevit.graph.window import Window
from edgevit.integer.graph import IntegerGraph, Op, Value
from edgevit.integer.ops.columns import BinSum, Pick
from edgevit.integer.ops.moves import Concat, Pad, Permute, Slice, Upsample
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.pointwise import Add, AddWide, Curve, Lookup, Multiply, Rescale
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear, MatMul
from edgevit.integer.ops.selection import Gather, OneHot, Order, Scatter
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.ops.windows import AveragePool, MaxPool

Rng = np.random.Generator
Single = tuple[Op, tuple[np.ndarray, ...]]


def graph_of(op: Op) -> IntegerGraph:
    return IntegerGraph(op.name, op.inputs, (), (op,), (op.output,)).verify()


def integers(rng: Rng, shape: tuple[int, ...], dtype: str = "int8") -> np.ndarray:
    """Now and then only the extremes."""
    info = np.iinfo(dtype)
    if rng.random() < 0.2:
        return rng.choice(np.array([info.min, info.max], dtype), shape)
    return rng.integers(info.min, info.max + 1, shape, dtype)


def weights(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """As quantised: -128 is rare."""
    drawn = integers(rng, shape)
    return drawn if rng.random() < 0.1 else np.maximum(drawn, -127)


def _between(rng: Rng, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _value(name: str, shape: tuple[int, ...], dtype: str = "int8", zero: int = 0) -> Value:
    return Value(name, shape, dtype, 1.0, zero)


def _channels(rng: Rng, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Bias and multiplier."""
    bias = rng.integers(-(2**17), 2**17, count).astype(np.int32)
    return bias, rng.integers(1, 2**28, count).astype(np.int32)


def linear(
    rng: Rng, rows: int = 0, depth: int = 0, columns: int = 0, stored: str = "int8"
) -> Single:
    rows, depth = rows or _between(rng, 1, 11), depth or _between(rng, 1, 70)
    columns = columns or _between(rng, 1, 13)
    bias, multiplier = _channels(rng, columns)
    x = _value("x", (rows, depth))
    weight = weights(rng, (columns, depth))
    op = Linear((x,), _value("y", (rows, columns), stored), weight, bias, multiplier)
    return op, (integers(rng, x.shape),)


def deep_linear(rng: Rng) -> Single:
    """Of sums that weights of the largest size take beyond 24 bits."""
    op, inputs = linear(rng, _between(rng, 1, 3), _between(rng, 500, 1700), _between(rng, 1, 9))
    assert isinstance(op, Linear)
    largest = rng.choice(np.array([-127, 127], np.int8), op.weight.shape)
    return replace(op, weight=largest), inputs


def sparse_linear(
    rng: Rng, rows: int = 0, depth: int = 0, columns: int = 0, stored: str = "int8", block: int = 0
) -> Single:
    """Of which a third of the blocks of every row is left, or less; whole groups may be zero."""
    depth, columns = depth or _between(rng, 64, 150), columns or _between(rng, 4, 22)
    op, inputs = linear(rng, rows, depth, columns, stored)
    assert isinstance(op, Linear)
    width = block or int(rng.choice([4, 16]))
    groups, blocks = -(-columns // 4), -(-depth // width)
    kept = np.zeros((groups, blocks), bool)
    for group in kept:
        group[rng.choice(blocks, int(rng.integers(0, blocks // 3 + 1)), replace=False)] = True
    mask = kept.repeat(4, axis=0).repeat(width, axis=1)[:columns, :depth]
    return replace(op, weight=np.maximum(op.weight, -127) * mask), inputs


def matmul(
    rng: Rng,
    stack: int = 0,
    rows: int = 0,
    depth: int = 0,
    columns: int = 0,
    turned: bool | None = None,
    zero: int | None = None,
) -> Single:
    stack, rows = stack or _between(rng, 1, 3), rows or _between(rng, 1, 9)
    depth, columns = depth or _between(rng, 1, 40), columns or _between(rng, 1, 40)
    turned = bool(rng.random() < 0.5) if turned is None else turned
    a = _value("a", (stack, rows, depth))
    b = _value("b", (stack, columns, depth) if turned else (stack, depth, columns))
    op = MatMul(
        (a, b),
        _value("y", (stack, rows, columns)),
        multiplier=_between(rng, 1, 2**28),
        bias=_between(rng, -(2**16), 2**16),
        zero=int(rng.choice([-128, 0, 7, 127])) if zero is None else zero,
        turned=turned,
    )
    return op, (integers(rng, a.shape), integers(rng, b.shape))


def _window(rng: Rng, largest: int = 7) -> Window:
    size = (_between(rng, 1, largest), _between(rng, 1, largest))
    sides = tuple(_between(rng, 0, size[i % 2] - 1) for i in range(4))
    stride = (_between(rng, 1, 3), _between(rng, 1, 3))
    dilation = (2, 1) if rng.random() < 0.1 else (1, 2) if rng.random() < 0.1 else (1, 1)
    return Window(size, stride, sides, dilation)  # type: ignore[arg-type]


def _image(rng: Rng, window: Window, channels: int) -> Value:
    """At least as large as the window."""
    high, wide = window.spans
    return _value("x", (high + _between(rng, 0, 6), wide + _between(rng, 0, 6), channels))


def conv2d(
    rng: Rng,
    x: Value | None = None,
    window: Window | None = None,
    columns: int = 0,
    stored: str = "int8",
) -> Single:
    groups = 1 if x else int(rng.choice([1, 1, 1, 2, 3]))
    window = window or _window(rng, 4)
    x = x or _image(rng, window, groups * _between(rng, 1, 9))
    columns = columns or groups * _between(rng, 1, 6)
    weight = weights(rng, (columns, *window.size, x.shape[2] // groups))
    bias, multiplier = _channels(rng, columns)
    y = _value("y", (*window.output(*x.shape[:2]), columns), stored)
    pad = _between(rng, -128, 127)
    op = Conv2d((x,), y, weight, bias, multiplier, window, groups, pad)
    return op, (integers(rng, x.shape),)


def depthwise(
    rng: Rng, x: Value | None = None, window: Window | None = None, dtype: str = "int8"
) -> Single:
    window = window or _window(rng)
    x = replace(x or _image(rng, window, _between(rng, 1, 18)), dtype=dtype)
    channels = x.shape[2]
    bias, multiplier = _channels(rng, channels)
    y = _value("y", (*window.output(*x.shape[:2]), channels), dtype)
    weight = integers(rng, (*window.size, channels))
    op = Depthwise((x,), y, weight, bias, multiplier, window, _between(rng, -128, 127))
    return op, (integers(rng, x.shape, dtype),)


def softmax(rng: Rng, rows: int = 0, length: int = 0) -> Single:
    rows, length = rows or _between(rng, 1, 5), length or _between(rng, 1, 70)
    x = _value("x", (rows, length))
    scale = rng.uniform(0.001, 0.3)
    table = np.rint(65535 * np.exp(-scale * np.arange(256))).astype(np.uint16)
    numerator = _between(rng, 2**29, 2**30)
    longest = (length * 65535).bit_length() - 16
    shift = min(_between(rng, 17, 22), 31 - longest)
    op = Softmax((x,), _value("y", x.shape, zero=-128), table, numerator, shift)
    return op, (integers(rng, x.shape),)


def norm(rng: Rng, rows: int = 0, length: int = 0, gain: bool | None = None) -> Single:
    rows, channels = rows or _between(rng, 1, 5), length or _between(rng, 1, 70)
    axes = 1 if length else int(rng.choice([1, 1, 2]))
    x = _value("x", (rows, channels), str(rng.choice(["int8", "int16"])) if not length else "int8")
    data = integers(rng, x.shape, x.dtype) >> _between(rng, 0, 6)
    gain = bool(rng.random() < 0.5) if gain is None else gain
    factors = {
        "gain": rng.integers(-(2**13), 2**13, channels).astype(np.int16),
        "bias": rng.integers(-(2**20), 2**20, channels).astype(np.int32),
        "gain_shift": _between(rng, 8, 20),
    }
    op = Norm(
        (x,),
        _value("y", x.shape),
        axes=axes,
        centred=bool(rng.random() < 0.7) or bool(length),
        epsilon=_between(rng, 0, 2**20),
        numerator=_between(rng, 2**30, 65535 * 2**15),
        shift=_between(rng, 8, 12),
        **(factors if gain else {}),  # type: ignore[arg-type]
    )
    return op, (data,)


def lookup(rng: Rng, count: int = 0) -> Single:
    x = _value("x", (count or _between(rng, 1, 90),))
    op = Lookup((x,), _value("y", x.shape), integers(rng, (256,)), "noise")
    return op, (integers(rng, x.shape),)


def curve(rng: Rng, count: int = 0) -> Single:
    x = _value("x", (count or _between(rng, 1, 90),), "int16")
    op = Curve((x,), _value("y", x.shape, "int16"), integers(rng, (513,), "int16"), "noise")
    return op, (integers(rng, x.shape, "int16"),)


def add(rng: Rng, count: int = 0) -> Single:
    x = _value("a", (count or _between(rng, 1, 90),))
    left, right = (_between(rng, -(2**14), 2**14) for _ in "ab")
    offset = _between(rng, -(2**13), 2**13)
    op = Add(
        (x, _value("b", x.shape)), _value("y", x.shape), left, right, offset, _between(rng, 0, 15)
    )
    return op, (integers(rng, x.shape), integers(rng, x.shape))


def add_wide(rng: Rng, count: int = 0, dtype: str = "") -> Single:
    a = _value("a", (count or _between(rng, 1, 90),), "int16")
    b = _value("b", a.shape, dtype or str(rng.choice(["int8", "int16"])))
    y = _value("y", a.shape, "int16")
    left, right = (_between(rng, -(2**14), 2**14) for _ in "ab")
    op = AddWide((a, b), y, left, right, _between(rng, -(2**20), 2**20), _between(rng, 1, 20))
    return op, (integers(rng, a.shape, "int16"), integers(rng, b.shape, b.dtype))


def rescale(rng: Rng, count: int = 0) -> Single:
    kinds = ["int8", "int16"] if rng.random() < 0.5 else ["int16", "int8"]
    x = _value("x", (count or _between(rng, 1, 90),), kinds[0])
    y = _value("y", x.shape, kinds[1])
    op = Rescale((x,), y, _between(rng, 1, 2**14), _between(rng, -(2**16), 2**16), _between(rng, 1, 20))  # fmt: skip
    return op, (integers(rng, x.shape, x.dtype),)


def multiply(rng: Rng, count: int = 0) -> Single:
    rows, channels = (1, count) if count else (_between(rng, 1, 6), _between(rng, 1, 20))
    a = _value("a", (rows, channels))
    b = _value("b", (rows if rng.random() < 0.5 else 1, channels))
    zeros = (_between(rng, -128, 127), _between(rng, -128, 127))
    op = Multiply(
        (a, b), _value("y", a.shape), *zeros, _between(rng, -(2**16), 2**16), _between(rng, 1, 2**28)
    )  # fmt: skip
    return op, (integers(rng, a.shape), integers(rng, b.shape))


def average_pool(rng: Rng, x: Value | None = None, window: Window | None = None) -> Single:
    window = window or _window(rng)
    x = x or _image(rng, window, _between(rng, 1, 18))
    y = _value("y", (*window.output(*x.shape[:2]), x.shape[2]))
    bias = _between(rng, -(2**12), 2**12)
    op = AveragePool((x,), y, window, bias, _between(rng, 1, 2**30), _between(rng, -128, 127))
    return op, (integers(rng, x.shape),)


def max_pool(rng: Rng, x: Value | None = None, window: Window | None = None) -> Single:
    window = window or _window(rng)
    x = x or _image(rng, window, _between(rng, 1, 18))
    y = _value("y", (*window.output(*x.shape[:2]), x.shape[2]))
    return MaxPool((x,), y, window), (integers(rng, x.shape),)


def _shape(rng: Rng, rank: int) -> tuple[int, ...]:
    return tuple(_between(rng, 1, 6) for _ in range(rank))


def _dtype(rng: Rng) -> str:
    return str(rng.choice(["int8", "int8", "int16"]))


def permute(rng: Rng) -> Single:
    x = _value("x", _shape(rng, _between(rng, 2, 6)), _dtype(rng))
    order = tuple(int(axis) for axis in rng.permutation(len(x.shape)))
    y = _value("y", tuple(x.shape[axis] for axis in order), x.dtype)
    return Permute((x,), y, order), (integers(rng, x.shape, x.dtype),)


def slice_(rng: Rng) -> Single:
    x = _value("x", _shape(rng, _between(rng, 1, 4)), _dtype(rng))
    axis = _between(rng, 0, len(x.shape) - 1)
    step = _between(rng, 1, 2)
    start = _between(rng, 0, x.shape[axis] - 1)
    count = _between(rng, 1, (x.shape[axis] - start - 1) // step + 1)
    sizes = list(x.shape)
    sizes[axis] = count
    y = _value("y", tuple(sizes), x.dtype)
    return Slice((x,), y, axis, start, step), (integers(rng, x.shape, x.dtype),)


def concat(rng: Rng) -> Single:
    shape, dtype = _shape(rng, _between(rng, 1, 4)), _dtype(rng)
    axis = _between(rng, 0, len(shape) - 1)
    parts = []
    for index in range(_between(rng, 2, 4)):
        sizes = list(shape)
        sizes[axis] = _between(rng, 1, 5)
        parts.append(_value(f"x{index}", tuple(sizes), dtype))
    sizes = list(shape)
    sizes[axis] = sum(part.shape[axis] for part in parts)
    op = Concat(tuple(parts), _value("y", tuple(sizes), dtype), axis)
    return op, tuple(integers(rng, part.shape, dtype) for part in parts)


def pad(rng: Rng) -> Single:
    x = _value("x", _shape(rng, _between(rng, 1, 4)), _dtype(rng))
    sides = tuple((_between(rng, 0, 3), _between(rng, 0, 3)) for _ in x.shape)
    shape = tuple(size + a + b for size, (a, b) in zip(x.shape, sides, strict=True))
    op = Pad((x,), _value("y", shape, x.dtype), sides, _between(rng, -128, 127))
    return op, (integers(rng, x.shape, x.dtype),)


def upsample(rng: Rng) -> Single:
    x = _value("x", _shape(rng, 3), _dtype(rng))
    factor = (_between(rng, 1, 3), _between(rng, 1, 3))
    y = _value("y", (x.shape[0] * factor[0], x.shape[1] * factor[1], x.shape[2]), x.dtype)
    return Upsample((x,), y, factor), (integers(rng, x.shape, x.dtype),)


def order(rng: Rng) -> Single:
    """Of many equals, now and then."""
    x = _value("x", (_between(rng, 1, 4), _between(rng, 1, 60)), _dtype(rng))
    y = _value("y", (x.shape[0], _between(rng, 1, x.shape[1])), "int16")
    data = integers(rng, x.shape, x.dtype) >> _between(rng, 0, 6)
    return Order((x,), y, bool(rng.random() < 0.5)), (data,)


def _places(rng: Rng, shape: tuple[int, ...], rows: int) -> np.ndarray:
    """Now and then outside."""
    return rng.integers(-1, rows + 1, shape).astype(np.int16)


def gather(rng: Rng) -> Single:
    x = _value("x", _shape(rng, 3), _dtype(rng))
    places = _value("places", (x.shape[0], _between(rng, 1, 9)), "int16")
    y = _value("y", (*places.shape, x.shape[2]), x.dtype)
    inputs = integers(rng, x.shape, x.dtype), _places(rng, places.shape, x.shape[1])
    return Gather((x, places), y), inputs


def scatter(rng: Rng) -> Single:
    zero = _between(rng, -128, 127)
    x = _value("x", _shape(rng, 3), _dtype(rng), zero)
    places = _value("places", (x.shape[0], _between(rng, 1, 9)), "int16")
    rows = _value("rows", (*places.shape, x.shape[2]), x.dtype, zero)
    op = Scatter((x, places, rows), replace(x, name="y"), bool(rng.random() < 0.7))
    given = _places(rng, places.shape, x.shape[1])
    return op, (integers(rng, x.shape, x.dtype), given, integers(rng, rows.shape, x.dtype))


def one_hot(rng: Rng) -> Single:
    places = _value("places", (_between(rng, 1, 9),), "int16")
    y = _value("y", (places.shape[0], _between(rng, 1, 40)))
    zero, one = (_between(rng, -128, 127) for _ in "ab")
    op = OneHot((places,), y, _between(rng, -5, 5), zero, one)
    return op, (_places(rng, places.shape, y.shape[1]),)


def _table_lead(rng: Rng, lead: tuple[int, ...]) -> tuple[int, ...]:
    """Any run of axes as long as the value's, one element along the others."""
    start, end = sorted(_between(rng, 0, len(lead)) for _ in range(2))
    return tuple(size if start <= axis < end else 1 for axis, size in enumerate(lead))


def pick(rng: Rng) -> Single:
    x = _value("x", (*_shape(rng, _between(rng, 1, 3)), _between(rng, 1, 400)))
    y = _value("y", (*x.shape[:-1], _between(rng, 1, 40)))
    dtype = np.uint8 if x.shape[-1] <= 256 else np.uint16
    table = (*_table_lead(rng, x.shape[:-1]), y.shape[-1])
    return Pick((x,), y, rng.integers(0, x.shape[-1], table).astype(dtype)), (integers(rng, x.shape),)  # fmt: skip


def bin_sum(rng: Rng) -> Single:
    x = _value("x", (*_shape(rng, _between(rng, 1, 3)), _between(rng, 1, 400)))
    y = _value("y", (*x.shape[:-1], _between(rng, 1, 20)))
    columns, lead = x.shape[-1], _table_lead(rng, x.shape[:-1])
    order = rng.permuted(np.broadcast_to(np.arange(columns), (*lead, columns)), axis=-1)
    ends = np.sort(rng.integers(0, columns + 1, (*lead, y.shape[-1])), -1)
    ends[..., -1] = columns
    op = BinSum(
        (x,),
        y,
        order.astype(np.uint8 if columns <= 256 else np.uint16),
        ends.astype(np.uint16),
        _between(rng, -128, 127),
        _between(rng, -(2**20), 2**20),
        _between(rng, 1, 2**28),
    )
    return op, (integers(rng, x.shape),)


MAKERS: dict[str, Callable[[Rng], Single]] = {
    "linear": linear,
    "deep_linear": deep_linear,
    "sparse_linear": sparse_linear,
    "sparse_linear_to_s16": partial(sparse_linear, stored="int16"),
    "matmul": matmul,
    "conv2d": conv2d,
    "depthwise": depthwise,
    "linear_to_s16": partial(linear, stored="int16"),
    "conv2d_to_s16": partial(conv2d, stored="int16"),
    "depthwise_s16": partial(depthwise, dtype="int16"),
    "softmax": softmax,
    "norm": norm,
    "lookup": lookup,
    "curve": curve,
    "add": add,
    "add_wide": add_wide,
    "rescale": rescale,
    "multiply": multiply,
    "pick": pick,
    "bin_sum": bin_sum,
    "average_pool": average_pool,
    "max_pool": max_pool,
    "permute": permute,
    "slice": slice_,
    "concat": concat,
    "pad": pad,
    "upsample": upsample,
    "order": order,
    "gather": gather,
    "scatter": scatter,
    "one_hot": one_hot,
}
