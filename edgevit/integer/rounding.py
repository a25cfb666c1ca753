"""Rounding rule of all operations: a product is rounded half up to the nearest integer, then
clamped.

    requantize(acc, m) = clamp((acc * m + 2^31) >> 32)          SMMULR and SSAT on Arm, VRMULH in vectors

A scale factor is a 31-bit multiplier below 1/2, and there is no second shift: an operation that
needs a larger factor has its output scale widened by the quantiser. Offsets are added to the
accumulator, where they are exact enough to be free.
"""

from __future__ import annotations

import numpy as np

from edgevit.quantize import LIMITS

LARGEST = 0.5 - 2**-20  # a factor that a multiplier can hold
_ONE = 1 << 32


def clamp(x: np.ndarray, dtype: str) -> np.ndarray:
    low, high = LIMITS[dtype]
    return np.clip(x, low, high).astype(dtype)


def requantize(acc: np.ndarray, multiplier: np.ndarray | int, dtype: str = "int8") -> np.ndarray:
    wide = acc.astype(np.int64) * np.asarray(multiplier, np.int64)
    return clamp((wide + (1 << 31)) >> 32, dtype)


def multiplier_of(factor: np.ndarray | float) -> np.ndarray:
    factor = np.asarray(factor, np.float64)
    if not (np.all(factor > 0) and np.all(factor <= LARGEST)):
        raise ValueError(f"no multiplier holds {factor.min():.3g} ... {factor.max():.3g}")
    return np.maximum(np.rint(factor * _ONE), 1).astype(np.int64).astype(np.int32)


def offset_of(zero: float, multiplier: np.ndarray) -> np.ndarray:
    """Return the initial accumulator value that shifts the result by `zero`."""
    return np.rint(zero * _ONE / multiplier.astype(np.float64)).astype(np.int64)


def fits_int32(x: np.ndarray) -> bool:
    return bool(np.all(np.abs(x.astype(np.float64)) < 2.0**31))


def floor_sqrt(x: np.ndarray) -> np.ndarray:
    """Return the exact integer square root of values below 2^32."""
    x = x.astype(np.int64)
    root = np.sqrt(x.astype(np.float64)).astype(np.int64)
    root -= root * root > x
    return root + ((root + 1) * (root + 1) <= x)


def bit_length(x: np.ndarray) -> np.ndarray:
    """Return the bit length of positive values below 2^53: 32 minus what CLZ counts."""
    return np.frexp(x.astype(np.float64))[1].astype(np.int64)
