"""Operations on one value, or on two, element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgevit.integer.graph import Op, require
from edgevit.integer.rounding import clamp, requantize


@dataclass(frozen=True, eq=False)
class Lookup(Op):
    """y = table[x as a byte]: any function of 8 bits, exact; also a change of scale."""

    kind: ClassVar[str] = "lookup"
    table: np.ndarray  # 256 of int8: first for 0 ... 127, then for -128 ... -1
    function: str  # for people

    def check(self) -> None:
        require(self.output.shape == self.source.shape, "the shape of the output")
        require(self.source.dtype == self.output.dtype == "int8", "8 bits in and out")
        require(self.table.shape == (256,) and self.table.dtype == np.int8, "a table of 256")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        return self.table[inputs[0].view(np.uint8)]

    def constants(self) -> dict[str, np.ndarray]:
        return {"table": self.table}

    def settings(self) -> str:
        return self.function


@dataclass(frozen=True, eq=False)
class Curve(Op):
    """Any function of 16 bits, straight between 513 points: y = t[i] + (((t[i + 1] - t[i]) * r + 64) >> 7).

    i is x >> 7, counted from the least x, and r what that leaves of it.
    """

    kind: ClassVar[str] = "curve"
    table: np.ndarray  # 513 of int16, at every 128th x; the last is behind the largest
    function: str  # for people

    def check(self) -> None:
        require(self.output.shape == self.source.shape, "the shape of the output")
        require(self.source.dtype == self.output.dtype == "int16", "16 bits in and out")
        require(self.table.shape == (513,) and self.table.dtype == np.int16, "a table of 513")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        x, table = inputs[0].astype(np.int64), self.table.astype(np.int64)
        place, rest = (x >> 7) + 256, x & 127
        rise = table[place + 1] - table[place]
        return (table[place] + ((rise * rest + 64) >> 7)).astype(np.int16)

    def constants(self) -> dict[str, np.ndarray]:
        return {"table": self.table}

    def settings(self) -> str:
        return self.function


@dataclass(frozen=True, eq=False)
class Add(Op):
    """y = (offset + (a * left >> 8) + (b * right >> 8)) >> shift: it runs in lanes of 16 bits.

    Each shift is a floor; `offset` holds the zero points, half a step, and what the floors take away on average.
    """

    kind: ClassVar[str] = "add"
    left: int
    right: int
    offset: int
    shift: int

    def check(self) -> None:
        a, b = self.inputs
        require(a.shape == b.shape == self.output.shape, "the same shape throughout")
        require(a.dtype == b.dtype == self.output.dtype == "int8", "8 bits in and out")
        require(0 <= self.shift < 16, "the shift")
        require(max(abs(self.left), abs(self.right)) < 2**15, "factors of 16 bits")
        reach = (abs(self.left) + abs(self.right)) // 2 + 2 + abs(self.offset)
        require(reach < 2**15, "the sum overflows 16 bits")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        a, b = (x.astype(np.int64) for x in inputs)
        total = self.offset + (a * self.left >> 8) + (b * self.right >> 8)
        return clamp(total >> self.shift, "int8")


@dataclass(frozen=True, eq=False)
class AddWide(Op):
    """The residual stream in 16 bits: y = (offset + a * left + b * right) >> shift, b of 8 or 16 bits."""

    kind: ClassVar[str] = "add_wide"
    left: int
    right: int
    offset: int
    shift: int

    def check(self) -> None:
        a, b = self.inputs
        require(a.shape == b.shape == self.output.shape, "the same shape throughout")
        require(a.dtype == self.output.dtype == "int16", "a stream of 16 bits")
        require(0 < self.shift < 32, "the shift")
        require(max(abs(self.left), abs(self.right)) < 2**15, "factors of 16 bits")
        wide = 128 if b.dtype == "int8" else 2**15
        reach = 2**15 * abs(self.left) + wide * abs(self.right) + abs(self.offset)
        require(reach < 2**31, "the sum overflows")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        a, b = (x.astype(np.int64) for x in inputs)
        return clamp((self.offset + a * self.left + b * self.right) >> self.shift, "int16")


@dataclass(frozen=True, eq=False)
class Rescale(Op):
    """Conversion from 16 bits to 8 or from 8 to 16: y = (x * factor + offset) >> shift."""

    kind: ClassVar[str] = "rescale"
    factor: int
    offset: int
    shift: int

    def check(self) -> None:
        require(self.output.shape == self.source.shape, "the shape of the output")
        require({self.source.dtype, self.output.dtype} == {"int8", "int16"}, "8 and 16 bits")
        require(0 < self.shift < 32 and 0 < self.factor < 2**15, "factor and shift")
        require(2**15 * self.factor + abs(self.offset) < 2**31, "the product overflows")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        wide = inputs[0].astype(np.int64) * self.factor + self.offset
        return clamp(wide >> self.shift, self.output.dtype)


@dataclass(frozen=True, eq=False)
class Multiply(Op):
    """y = requantize((a - left_zero) * (b - right_zero) + bias, multiplier); b may be one row for all of them."""

    kind: ClassVar[str] = "multiply"
    left_zero: int
    right_zero: int
    bias: int
    multiplier: int

    def check(self) -> None:
        a, b = self.inputs
        row = (*(1 for _ in a.shape[:-1]), a.shape[-1])
        require(a.shape == self.output.shape and b.shape in {a.shape, row}, "shapes")
        require(a.dtype == b.dtype == self.output.dtype == "int8", "8 bits in and out")
        require(min(self.left_zero, self.right_zero) >= -128, "zero points")
        require(max(self.left_zero, self.right_zero) <= 127, "zero points")
        require(0 < self.multiplier < 2**31, "the multiplier")
        require(255 * 255 + abs(self.bias) < 2**31, "the accumulator overflows")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        a, b = (x.astype(np.int64) for x in inputs)
        product = (a - self.left_zero) * (b - self.right_zero)
        return requantize(product + self.bias, self.multiplier)
