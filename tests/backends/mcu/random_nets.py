"""Random small integer nets: convolutions, pools, attention, residuals, in shapes that real nets have, only smaller."""

from __future__ import annotations

import numpy as np

from edgevit.graph.window import Window
from edgevit.integer.graph import Constant, IntegerGraph, Op, Value
from edgevit.integer.ops.moves import Concat, Permute, Reshape, Slice, Upsample
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.pointwise import Add, AddWide, Curve, Lookup, Multiply, Rescale
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear, MatMul
from edgevit.integer.ops.selection import Gather, Order, Scatter
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.ops.windows import AveragePool, MaxPool
from edgevit.integer.rewrites.rewritten import rewritten

_TABLE = np.rint(65535 * np.exp(-0.03 * np.arange(256))).astype(np.uint16)


def _some_with_zeros(weight: np.ndarray) -> np.ndarray:
    """Return every third weight or so with most blocks zero, which sparse kernels take."""
    rng = np.random.default_rng(int(np.abs(weight.astype(np.int64)).sum()))
    if rng.random() > 0.35:
        return weight
    count, depth = weight.shape
    kept = rng.random((-(-count // 4), -(-depth // 4))) < 0.3
    return np.maximum(weight, -127) * kept.repeat(4, 0).repeat(4, 1)[:count, :depth]


class _Net:
    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.ops: list[Op] = []
        self.constants: list[Constant] = []

    def add(self, op: Op) -> Value:
        self.ops.append(op)
        return op.output

    def value(self, *shape: int, zero: int = 0, dtype: str = "int8") -> Value:
        return Value(f"v{len(self.ops)}", shape, dtype, zero=zero)

    def between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def weights(self, count: int, *sizes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scaled so that results fill the range."""
        weight = self.rng.integers(-127, 128, (count, *sizes), np.int8)
        bias = self.rng.integers(-(2**12), 2**12, count).astype(np.int32)
        spread = 74 * 74 * np.sqrt(max(np.prod(sizes), 1))
        multiplier = np.full(count, min(int(2**32 * 50 / spread), 2**30), np.int32)
        return weight, bias, multiplier

    def linear(self, x: Value, columns: int) -> Value:
        weight, bias, multiplier = self.weights(columns, x.shape[-1])
        weight = _some_with_zeros(weight)
        y = self.value(*x.shape[:-1], columns)
        return self.add(Linear((x,), y, weight, bias, multiplier))

    def window(self, x: Value) -> Window:
        size = min(self.between(1, 2) * 2 - 1 + 2 * self.between(0, 1), *x.shape[:2])
        size -= 1 - size % 2
        return Window((size, size), (self.between(1, 2),) * 2, (size // 2,) * 4)

    def conv(self, x: Value) -> Value:
        window, columns = self.window(x), self.between(3, 10)
        weight, bias, multiplier = self.weights(columns, *window.size, x.shape[2])
        y = self.value(*window.output(*x.shape[:2]), columns)
        return self.add(Conv2d((x,), y, weight, bias, multiplier, window, 1, self.between(-9, 9)))

    def depthwise(self, x: Value) -> Value:
        window = self.window(x)
        weight, bias, multiplier = self.weights(x.shape[2], *window.size)
        y = self.value(*window.output(*x.shape[:2]), x.shape[2])
        weight = np.ascontiguousarray(weight.transpose(1, 2, 0))
        return self.add(Depthwise((x,), y, weight, bias, multiplier, window, self.between(-9, 9)))

    def pool(self, x: Value) -> Value:
        window = self.window(x)
        y = self.value(*window.output(*x.shape[:2]), x.shape[2])
        if self.rng.random() < 0.5:
            return self.add(MaxPool((x,), y, window))
        taps = window.size[0] * window.size[1]
        return self.add(AveragePool((x,), y, window, 0, 2**31 // max(taps, 2), 0))

    def lookup(self, x: Value) -> Value:
        table = self.rng.integers(-128, 128, 256).astype(np.int8)
        return self.add(Lookup((x,), self.value(*x.shape), table, "noise"))

    def sum(self, a: Value, b: Value) -> Value:
        left, right = self.between(2**11, 2**13), self.between(2**11, 2**13)
        return self.add(Add((a, b), self.value(*a.shape), left, right, 17, 5))

    def norm(self, x: Value) -> Value:
        y = self.value(*x.shape)
        return self.add(Norm((x,), y, 1, self.rng.random() < 0.8, 50, 2**30 + 99, 12))

    def gate(self, x: Value) -> Value:
        taps = x.shape[0] * x.shape[1]
        pooled = AveragePool((x,), self.value(1, 1, x.shape[2]), Window(x.shape[:2]), 0, 2**31 // max(taps, 2), 0)  # fmt: skip
        row = self.linear(self.add(pooled), x.shape[2])
        return self.add(Multiply((x, row), self.value(*x.shape), 3, -5, 0, 2**25))

    def stream(self, x: Value) -> Value:
        """Two blocks of a residual stream of 16 bits, one of them a depthwise convolution and a function."""
        window = Window((3, 3), (1, 1), (1, 1, 1, 1))
        channels = self.between(1, 2) * x.shape[2]
        first = self.window(x)
        weight, bias, multiplier = self.weights(channels, *first.size, x.shape[2])
        y = self.value(*first.output(*x.shape[:2]), channels, dtype="int16")
        wide = self.add(Conv2d((x,), y, weight, bias, multiplier, first, 1, 3))
        weight, bias, multiplier = self.weights(channels, 3, 3)
        weight = np.ascontiguousarray(weight.transpose(1, 2, 0))
        y = self.value(*wide.shape, dtype="int16")
        wide = self.add(Depthwise((wide,), y, weight, bias, multiplier, window, 0))
        table = self.rng.integers(-(2**15), 2**15, 513).astype(np.int16)
        wide = self.add(Curve((wide,), self.value(*wide.shape, dtype="int16"), table, "noise"))
        narrow = self.add(Rescale((wide,), self.value(*wide.shape), 2**7, 2**14, 15))
        weight, bias, multiplier = self.weights(channels, channels)
        y = self.value(*wide.shape, dtype="int16")
        branch = self.add(Linear((narrow,), y, weight, bias, multiplier))
        y = self.value(*wide.shape, dtype="int16")
        wide = self.add(AddWide((wide, branch), y, 2**13, -(2**13), 2**12, 13))
        return self.add(Rescale((wide,), self.value(*wide.shape), 2**7, 2**14, 15))

    def block(self, x: Value) -> Value:
        """One step on an image."""
        match self.between(0, 8):
            case 0:
                return self.conv(x)
            case 1:
                return self.depthwise(x)
            case 2:
                return self.pool(x)
            case 3:
                return self.sum(x, self.linear(self.lookup(self.linear(x, 2 * x.shape[2])), x.shape[2]))  # fmt: skip
            case 4:
                return self.gate(x)
            case 5:
                half = x.shape[2] // 2
                if not half:
                    return self.norm(x)
                parts = [
                    self.add(Slice((x,), self.value(*x.shape[:2], half), 2, start))
                    for start in (0, half)
                ]
                parts[0] = self.lookup(parts[0])
                return self.add(Concat(tuple(parts), self.value(*x.shape[:2], 2 * half), 2))
            case 6:
                if x.size > 600:
                    return self.conv(x)
                y = self.value(2 * x.shape[0], x.shape[1], x.shape[2])
                return self.add(Upsample((x,), y, (2, 1)))
            case 7:
                return self.stream(x)
            case _:
                return self.sum(x, self.norm(x))

    def select(self, x: Value) -> Value:
        """Fewer tokens: the largest by one channel, and the others added to the first."""
        tokens, width = x.shape
        scores = self.add(Slice((x,), self.value(tokens, 1), 1, self.between(0, width - 1)))
        row = self.add(Reshape((scores,), self.value(1, tokens)))
        order = self.add(Order((row,), self.value(1, tokens, dtype="int16"), self.rng.random() < 0.5))  # fmt: skip
        stack = self.add(Reshape((x,), self.value(1, tokens, width)))
        count = self.between(1, tokens - 1)
        best = self.add(Slice((order,), self.value(1, count, dtype="int16"), 1, 0))
        picked = self.add(Gather((stack, best), self.value(1, count, width)))
        rest = self.add(Slice((order,), self.value(1, tokens - count, dtype="int16"), 1, count))
        others = self.add(Gather((stack, rest), self.value(1, tokens - count, width)))
        whole = self.add(Scatter((picked, rest, others), self.value(1, count, width), True))
        return self.add(Reshape((whole,), self.value(count, width)))

    def attend(self, x: Value) -> Value:
        """On tokens."""
        tokens, width = x.shape
        heads, depth = self.between(1, 3), self.between(2, 9)
        sides = []
        for _ in "qkv":
            wide = self.linear(x, heads * depth)
            apart = self.add(Reshape((wide,), self.value(tokens, heads, depth)))
            order = (1, 0, 2)
            sides.append(self.add(Permute((apart,), self.value(heads, tokens, depth), order)))
        scores = MatMul(tuple(sides[:2]), self.value(heads, tokens, tokens), multiplier=2**20, bias=7, zero=0, turned=True)  # fmt: skip
        s = self.add(scores)
        p = self.add(Softmax((s,), self.value(*s.shape, zero=-128), _TABLE, 2**29 + 12345, 21))
        y = self.value(heads, tokens, depth)
        mixed = self.add(MatMul((p, sides[2]), y, multiplier=2**23, bias=5, zero=-128, turned=False))  # fmt: skip
        back = self.add(Permute((mixed,), self.value(tokens, heads, depth), (1, 0, 2)))
        flat = self.add(Reshape((back,), self.value(tokens, heads * depth)))
        return self.sum(x, self.linear(flat, width))


def random_net(seed: int) -> tuple[IntegerGraph, tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(seed)
    net = _Net(rng)
    image = Value("image", (net.between(3, 9), net.between(3, 9), net.between(1, 4)))
    x = net.conv(image)
    for _ in range(net.between(1, 4)):
        x = net.block(x)
    if rng.random() < 0.6:
        tokens = x.shape[0] * x.shape[1]
        x = net.add(Reshape((x,), net.value(tokens, x.shape[2])))
        if rng.random() < 0.5:
            table = Value("positions", x.shape)
            net.constants.append(Constant(table, rng.integers(-128, 128, x.shape, np.int8)))
            x = net.sum(x, table)
        for _ in range(net.between(1, 2)):
            x = net.attend(net.norm(x))
            if x.shape[0] > 1 and rng.random() < 0.5:
                x = net.select(x)
    x = net.linear(x, net.between(1, 5))
    graph = IntegerGraph(
        f"net{seed}", (image,), tuple(net.constants), tuple(net.ops), (x,)
    ).verify()
    return rewritten(graph), (rng.integers(-128, 128, image.shape, np.int8),)
