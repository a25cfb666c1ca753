"""Integer encodings of a value, and their choice from a range of real numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LIMITS = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
}
_LEAST_HALF = 2.0**-24  # the smallest float16 above zero
_MOST_HALF = 65504.0
_SMALLEST = 1e-9  # a range below this counts as empty
_HEADROOM = 2.0  # 16 bits have spare range: values larger than in calibration still fit


@dataclass(frozen=True)
class Grid:
    """Affine encoding: an integer stands for `scale * (integer - zero)`."""

    scale: float
    zero: int = 0
    dtype: str = "int8"

    @property
    def low(self) -> float:
        return self.scale * (LIMITS[self.dtype][0] - self.zero)

    @property
    def high(self) -> float:
        return self.scale * (LIMITS[self.dtype][1] - self.zero)

    def quantized(self, x: np.ndarray) -> np.ndarray:
        low, high = LIMITS[self.dtype]
        steps = np.floor(np.asarray(x, np.float64) / self.scale + 0.5) + self.zero
        return np.clip(steps, low, high).astype(self.dtype)

    def points(self) -> np.ndarray:
        """Return the real value of each of the 256 bytes, in the order of a table: 0 ... 127, then
        -128 ... -1.
        """
        integers = np.arange(256, dtype=np.uint8).view(np.int8)
        return self.scale * (integers.astype(np.float64) - self.zero)

    def within(self, low: float, high: float) -> bool:
        """Check that no integer stands for a value outside the bounds by more than half a step."""
        half = 0.5 * self.scale
        return self.low >= low - half and self.high <= high + half

    def widened(self, scale: float) -> Grid:
        return self if scale <= self.scale else Grid(scale, self.zero, self.dtype)


PIXELS = Grid(1.0, -128)  # each of 0 to 255 is an integer of its own


def are_pixels(x: np.ndarray) -> bool:
    """Check for whole numbers of 0 to 255, with some above 127, as few small ones may be something
    else.
    """
    return bool(x.min() >= 0 and 127 < x.max() <= 255 and (x == np.rint(x)).all())


def why_no_pixels(numbers: np.ndarray) -> str | None:
    """Return the reason why numbers are no pixels, or None.

    Input that was normalised already would be taken for a black picture.
    """
    low, high = float(numbers.min()), float(numbers.max())
    if low < 0 or high > 255:
        return f"they lie between {low:.4g} and {high:.4g}"
    if high <= 1 and (numbers % 1).any():
        return "they are fractions, none above 1"
    return None


def asymmetric(low: float, high: float, dtype: str = "int8") -> Grid:
    """Return the grid of a range. Zero is always on it, exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    least, most = LIMITS[dtype]
    if high - low < _SMALLEST:
        return Grid(1.0, 0, dtype)
    scale = (high - low) / (most - least)
    return Grid(scale, int(np.clip(np.rint(least - low / scale), least, most)), dtype)


def balanced(low: float, high: float, dtype: str = "int8") -> Grid:
    """Return the grid of a range with its zero point in the middle of the type."""
    peak = max(-low, high)
    least, most = LIMITS[dtype]
    half = (most - least) // 2
    return Grid(peak / half if peak >= _SMALLEST else 1.0, most - half, dtype)


def symmetric(low: float, high: float) -> Grid:
    peak = max(-low, high)
    return Grid(peak / 127 if peak >= _SMALLEST else 1.0)


def wide(low: float, high: float) -> Grid:
    """Return the symmetric 16-bit grid of a range, with headroom."""
    peak = _HEADROOM * max(-low, high)
    return Grid(peak / 32767 if peak >= _SMALLEST else 1.0, 0, "int16")


def to_half(scales: np.ndarray | float) -> np.ndarray:
    """Return the scales rounded up to float16, so that the range still fits."""
    scales = np.clip(scales, _LEAST_HALF, _MOST_HALF)
    near = np.float16(scales)
    return np.where(near < scales, np.nextafter(near, np.float16(np.inf)), near).astype(np.float64)
