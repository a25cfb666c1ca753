"""Softmax over the last axis, by a table of exponentials and one division a row.

e[i] = table[max(x) - x[i]]          16 bits; table[d] stands for exp(-scale * d)
s    = sum(e) = s16 * 2^k            s16 is its 16 highest bits
p[i] = e[i] * (numerator // s16) >> (k + shift), half up, clamped to 255, minus 128
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgevit.integer.graph import Op, require, require_within
from edgevit.integer.rounding import bit_length


@dataclass(frozen=True, eq=False)
class Softmax(Op):
    kind: ClassVar[str] = "softmax"
    table: np.ndarray  # 256 of uint16, falling
    numerator: int
    shift: int

    def check(self) -> None:
        require(self.output.shape == self.source.shape, "the shape of the output")
        require(self.source.dtype == self.output.dtype == "int8", "8 bits in and out")
        require(self.table.shape == (256,) and self.table.dtype == np.uint16, "a table of 256")
        require(int(self.table[0]) >= 2**15, "the largest exponential has its highest bit")
        require_within(self.source.shape[-1], "values in a row")
        # with 13 to 15 bits in the quotient no product passes 2^31, nor does its rounding pass 2^32
        require(2**29 <= self.numerator <= 2**30, "the numerator")
        longest = (self.source.shape[-1] * int(self.table[0])).bit_length()
        require(self.shift >= 17 and longest - 16 + self.shift <= 31, "the shift")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        x = inputs[0].astype(np.int64)
        e = self.table.astype(np.int64)[x.max(-1, keepdims=True) - x]
        total = e.sum(-1, keepdims=True)
        bits = bit_length(total)
        quotient = self.numerator // (total >> (bits - 16))
        shift = bits - 16 + self.shift
        p = (e * quotient + (1 << (shift - 1))) >> shift
        return (np.minimum(p, 255) - 128).astype(np.int8)

    def constants(self) -> dict[str, np.ndarray]:
        return {"table": self.table}
