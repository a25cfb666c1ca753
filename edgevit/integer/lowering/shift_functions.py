"""I-ViT's integer functions, by shifts and sums alone (arXiv 2207.01405, section 3.3 and 3.4), as entries of tables.

    exp(S I)   =  2^(S (I + I>>1 - I>>4))              log2(e) is about 1.4375
    2^(S J)    =  (1 - r / 2) * 2^-q                   with S J = -(q + r), r below 1
    gelu(x)    =  x * sigmoid(1.702 x)                 1.702 is about 1.6875

The paper's integers are kept; their real values are put on our grids. Its GELU takes the largest of
a row out of both exponentials of the sigmoid. A table has no rows: here it is the largest number of
the grid.
"""

from __future__ import annotations

import numpy as np

_FRACTION = 15  # N of the paper: bits an exponential is shifted up by


def _shift_exp(integers: np.ndarray, scale: float) -> np.ndarray:
    """Compute exp of integers at or below zero, in steps of `scale`.

    The result is in integers of scale / 2^N each.
    """
    i = integers.astype(np.int64)
    i = i + (i >> 1) - (i >> 4)
    one = max(round(1 / scale), 1)
    q = np.minimum(i // -one, _FRACTION)
    r = -(i + q * one)
    base = ((-r) >> 1) + one
    return np.where(base > 0, base, 0) << (_FRACTION - q)


def shift_exponential(scale: float) -> np.ndarray:
    """Return exp(-scale * d) for d of 0 ... 255, in 16 bits."""
    powers = _shift_exp(-np.arange(256), scale).astype(np.float64)
    return np.rint(65535 * powers / powers[0]).astype(np.uint16)


def shift_gelu(x: np.ndarray, scale: float) -> np.ndarray:
    """Compute GELU of real numbers that are whole steps of `scale`."""
    i = np.rint(x / scale).astype(np.int64)
    scaled = i + (i >> 1) + (i >> 3) + (i >> 4)
    most = max(int(scaled.max()), 0)
    own, rest = _shift_exp(scaled - most, scale), _shift_exp(np.array([-most]), scale)
    total = np.maximum(own + rest, 1)
    sigmoid = ((1 << 31) // total * own) >> 24  # 7 bits, as in the paper
    return i * sigmoid / 128 * scale
