"""Rounding of weights to 8 bits that preserves their sums on inputs like those of calibration.

    w[k] -> q,  and for every tap j behind k:  w[j] -= (w[k] - q) U[k, j] / U[k, k]        U'U = C^-1, U upper

Taps are rounded one after the other. The taps behind compensate the error of each, as far as
their inputs correlate with its input. C is the covariance of the input; the bias corrects for its
mean. After "GPTQ" (arXiv 2210.17323, algorithm 1), with the taps that matter most first. A tap of
zero stays zero: what pruning took away is not given back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgevit.graph.tensors import from_numpy, inverse_of_factor
from edgevit.quantize.input_covariance import Moments

Nearest = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of numbers, and of their steps
_MOST = 127.0
_BLOCK = 64  # taps; those behind a block are moved once for all of it
_RANGE = 8.0  # standard deviations from end to end
_NOTHING = 1e-6  # of the largest variance: a floor for all others


def compensated(
    taps: np.ndarray, scale: np.ndarray, moments: Moments, step: float, most: float = _MOST
) -> np.ndarray:
    """Round `taps`, N x K, to integers of at most `most` in steps of `scale`, one a row or a tap.

    `step` is that of the input.
    """
    unit = scale if scale.ndim == 1 else scale.max(1)
    steps = np.ones_like(taps) if scale.ndim == 1 else scale / unit[:, None]

    def nearest(real: np.ndarray, steps: np.ndarray) -> np.ndarray:
        if scale.ndim == 1:  # steps of one, or of zero
            return np.minimum(np.maximum(np.rint(real), -most), most) * steps
        units = np.divide(real, steps, out=np.zeros_like(real), where=steps > 0)
        return np.clip(np.rint(units), -most, most) * steps

    pruned = np.where(taps == 0, 0.0, steps)  # by a step of zero
    rounded = _compensated(taps / unit[:, None], pruned, nearest, moments, step)
    return np.rint(rounded / steps).astype(np.int8)


def compensated_by(
    nearest: Callable[[np.ndarray], np.ndarray], taps: np.ndarray, moments: Moments, step: float
) -> np.ndarray:
    """Round `taps` to what `nearest` returns of each number."""

    def stepless(real: np.ndarray, _: np.ndarray) -> np.ndarray:
        return nearest(real)

    return _compensated(taps, np.ones_like(taps), stepless, moments, step)


def _compensated(
    taps: np.ndarray, steps: np.ndarray, nearest: Nearest, moments: Moments, step: float
) -> np.ndarray:
    groups, width = moments.mean.shape
    rows, widths = (x.reshape(groups, -1, width) for x in (taps, steps))
    # rounding the input is noise as large for every tap
    variance = _shared_step(moments) ** 2 if moments.shared else step**2
    noisy = _regularised(moments) + variance / 12 * np.eye(width)
    return _rounded(rows, widths, noisy, nearest).reshape(taps.shape)


def _shared_step(moments: Moments) -> float:
    """Return a step for the inputs of all layers of a weight: else each would round it another way."""
    own = np.diagonal(moments.covariance, axis1=1, axis2=2)
    return _RANGE * float(np.sqrt(own.mean())) / 255


def _regularised(moments: Moments) -> np.ndarray:
    """Shrink the covariance toward its diagonal (independent taps), the more the fewer samples it
    has.
    """
    width = moments.mean.shape[1]
    share = width / (width + moments.count)
    own = np.diagonal(moments.covariance, axis1=1, axis2=2)
    own = np.maximum(own, _NOTHING * own.max(1, keepdims=True))
    return (1 - share) * moments.covariance + share * own[:, :, None] * np.eye(width)


def _rounded(
    rows: np.ndarray, steps: np.ndarray, covariance: np.ndarray, nearest: Nearest
) -> np.ndarray:
    """Round groups x rows x taps, the taps of the largest variance first."""
    order = np.argsort(-np.diagonal(covariance, axis1=1, axis2=2), axis=1, kind="stable")
    upper = _upper(np.stack([one[of][:, of] for one, of in zip(covariance, order, strict=True)]))
    weights = np.take_along_axis(rows, order[:, None, :], 2)
    steps = np.take_along_axis(steps, order[:, None, :], 2)
    for start in range(0, weights.shape[2], _BLOCK):
        stop = min(start + _BLOCK, weights.shape[2])
        inside = slice(start, stop)
        wrong = _round_block(
            weights[:, :, inside], steps[:, :, inside], upper[:, inside, inside], nearest
        )
        weights[:, :, stop:] -= wrong @ upper[:, start:stop, stop:]
    return np.take_along_axis(weights, np.argsort(order, axis=1)[:, None, :], 2)


def _upper(covariance: np.ndarray) -> np.ndarray:
    """Return U of U'U = C^-1: the inverse of C's lower factor, with C's order and U's turned round."""
    turned = from_numpy(covariance[:, ::-1, ::-1].copy())
    return inverse_of_factor(turned).numpy()[:, ::-1, ::-1]


def _round_block(
    weights: np.ndarray, steps: np.ndarray, upper: np.ndarray, nearest: Nearest
) -> np.ndarray:
    """Round one block of taps in place. Returns each rounding error in units of its own U[k, k]."""
    columns, widths = (np.ascontiguousarray(np.moveaxis(x, 2, 0)) for x in (weights, steps))
    wrong = np.empty_like(columns)
    for k, column in enumerate(columns):
        real = column.copy()
        column[:] = nearest(real, widths[k])
        wrong[k] = (real - column) / upper[:, k, k, None]
        columns[k + 1 :] -= wrong[k] * upper[:, k, k + 1 :].T[:, :, None]
    weights[:] = np.moveaxis(columns, 0, 2)
    return np.ascontiguousarray(np.moveaxis(wrong, 0, 2))
