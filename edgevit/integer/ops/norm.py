"""Normalisation of rows: layer norm, RMS norm (not `centred`), group norm of one group (one row of all values).

    v    = D * sum(x^2) - sum(x)^2 + epsilon        exact; the variance times D^2
    root = floor(sqrt(v * 2^n))                     n even, so that the root has 16 bits
    a    = numerator // root                        15 or 16 bits; two less for 16-bit input
    b    = -(a * mean), the mean with 16 bits of fraction (8 for 16-bit input)
    y    = (x * a + b) >> shift, half up            with shift = `shift` - n / 2, at least 1

With a gain and bias a channel, y has 16 bits, and the result is (y * gain + bias) >> gain_shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from edgevit.integer.graph import Op, require
from edgevit.integer.rounding import bit_length, clamp, floor_sqrt


@dataclass(frozen=True, eq=False)
class Norm(Op):
    kind: ClassVar[str] = "norm"
    axes: int  # how many of the last axes make a row
    centred: bool
    epsilon: int  # in units of v
    numerator: int
    shift: int
    gain: np.ndarray | None = None  # int16, a channel
    bias: np.ndarray | None = None  # int32, a channel: rounding and zero point are in it
    gain_shift: int = 0

    @property
    def length(self) -> int:
        """Number of values of a row, D."""
        return prod(self.source.shape[-self.axes :])

    @property
    def wide(self) -> bool:
        return self.source.dtype == "int16"

    @property
    def mean_bits(self) -> int:
        return 8 if self.wide else 16

    @property
    def reciprocal(self) -> tuple[int, int]:
        """Reciprocal 1 / D, as a 31-bit multiplier and its shift."""
        bits = (self.length - 1).bit_length()
        return -(-(1 << (30 + bits)) // self.length), 30 + bits

    def check(self) -> None:
        require(self.output.shape == self.source.shape, "the shape of the output")
        require(self.output.dtype == "int8", "8 bits out")
        require(1 <= self.axes <= len(self.source.shape), "axes")
        # sum(x) has 32 bits, v has 63
        bits = 15 if self.wide else 7
        require(self.length < 2 ** (31 - bits), "the sum overflows")
        require(0 <= self.epsilon < 2**62, "epsilon")
        require(2**30 <= self.numerator <= 65535 * 2**15, "the numerator")
        require(self._longest_shift() <= 30, "the shift")
        if self.gain is None:
            require(self.bias is None and self.output.zero == 0, "no zero point without a bias")
            return
        channels = self.source.shape[-1]
        assert self.bias is not None
        require(self.gain.shape == self.bias.shape == (channels,), "gain and bias a channel")
        require(self.gain.dtype == np.int16 and self.bias.dtype == np.int32, "their types")
        reach = np.abs(self.gain.astype(np.int64)) * 2**15 + np.abs(self.bias.astype(np.int64))
        require(bool(np.all(reach < 2**31)), "the accumulator overflows")
        require(0 < self.gain_shift < 32, "the gain's shift")

    def _longest_shift(self) -> int:
        """Return the shift for the largest v, which is the longest."""
        largest = (self.length << (15 if self.wide else 7)) ** 2 + self.epsilon
        return self.shift - ((32 - largest.bit_length()) >> 1) - (2 if self.wide else 0)

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        x = inputs[0].astype(np.int64).reshape(-1, self.length)
        total = x.sum(1) if self.centred else np.zeros(len(x), np.int64)
        v = np.maximum(self.length * (x * x).sum(1) - total * total + self.epsilon, 1)
        half = (32 - _exact_bit_length(v)) >> 1  # n / 2
        v = np.where(half >= 0, v << np.maximum(2 * half, 0), v >> np.maximum(-2 * half, 0))
        a = self.numerator // floor_sqrt(v)
        if self.wide:
            a >>= 2
        b = -self._times_mean(total, a)
        shift = np.clip(self.shift - half - (2 if self.wide else 0), 1, 30)
        y = x * a[:, None] + b[:, None]
        y = (y + (1 << (shift - 1))[:, None]) >> shift[:, None]
        return self._scaled(y).reshape(self.output.shape)

    def _times_mean(self, total: np.ndarray, a: np.ndarray) -> np.ndarray:
        reciprocal, shift = self.reciprocal
        shift -= self.mean_bits
        mean = (total * reciprocal + (1 << (shift - 1))) >> shift
        return (a * mean + (1 << (self.mean_bits - 1))) >> self.mean_bits

    def _scaled(self, y: np.ndarray) -> np.ndarray:
        if self.gain is None or self.bias is None:
            return clamp(y, "int8")
        y = clamp(y, "int16").astype(np.int64).reshape(-1, len(self.gain))
        return clamp((y * self.gain + self.bias) >> self.gain_shift, "int8")

    def constants(self) -> dict[str, np.ndarray]:
        arrays = {"gain": self.gain, "bias": self.bias}
        return {name: array for name, array in arrays.items() if array is not None}

    def settings(self) -> str:
        words = ["layer" if self.centred else "rms", f"over {self.length}"]
        return " ".join([*words, "affine"] if self.gain is not None else words)


def _exact_bit_length(v: np.ndarray) -> np.ndarray:
    """Return the bit length of values below 2^63.

    It is exact, where float64 alone rounds up just below a power of two.
    """
    high = v >> 32
    return np.where(high > 0, bit_length(np.maximum(high, 1)) + 32, bit_length(v & 0xFFFFFFFF))
