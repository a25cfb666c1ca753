"""Rounding of weights to 8 bits that preserves their sums on inputs like those of calibration.

    q[k] = round(w[k] + sum over the taps j before k of (w[j] - q[j]) V[j, k])        C = V D V', V upper with ones

Taps are rounded one after the other. The taps behind compensate the error of each, as far as
their inputs correlate with its input. C is the covariance of the input; the bias corrects for its
mean. It rounds as "GPTQ" does (arXiv 2210.17323, algorithm 1), with the taps that matter most
first, but needs no inverse of C ("QuIP", arXiv 2307.13304, theorem 6). A tap of zero stays zero:
what pruning took away is not given back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgevit.graph.tensors import cholesky_factor, from_numpy
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
    noisy = _regularised(moments, variance / 12)
    return _rounded(rows, widths, noisy, nearest).reshape(taps.shape)


def _shared_step(moments: Moments) -> float:
    """Return a step for the inputs of all layers of a weight: else each would round it another way."""
    own = np.diagonal(moments.covariance, axis1=1, axis2=2)
    return _RANGE * float(np.sqrt(own.mean())) / 255


def _regularised(moments: Moments, noise: float) -> np.ndarray:
    """Shrink the covariance toward its diagonal (independent taps), the more the fewer samples it
    has, and add the variance of `noise` to every tap.
    """
    width = moments.mean.shape[1]
    share = width / (width + moments.count)
    regularised = (1 - share) * moments.covariance
    own = np.diagonal(moments.covariance, axis1=1, axis2=2)
    own = np.maximum(own, _NOTHING * own.max(1, keepdims=True))
    regularised[:, range(width), range(width)] += share * own + noise
    return regularised


def _rounded(
    rows: np.ndarray, steps: np.ndarray, covariance: np.ndarray, nearest: Nearest
) -> np.ndarray:
    """Round groups x rows x taps, the taps of the largest variance first."""
    order = np.argsort(-np.diagonal(covariance, axis1=1, axis2=2), axis=1, kind="stable")
    feedback = _feedback(covariance, order)
    weights = np.take_along_axis(rows, order[:, None, :], 2)
    steps = np.take_along_axis(steps, order[:, None, :], 2)
    rounded = np.empty_like(weights)
    for start in range(0, weights.shape[2], _BLOCK):
        inside = slice(start, start + _BLOCK)
        wrong = weights[:, :, :start] - rounded[:, :, :start]
        rounded[:, :, inside] = _rounded_block(
            weights[:, :, inside],
            wrong @ feedback[:, :start, inside],
            steps[:, :, inside],
            feedback[:, inside, inside],
            nearest,
        )
    return np.take_along_axis(rounded, np.argsort(order, axis=1)[:, None, :], 2)


def _feedback(covariance: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return V of V D V' = C with its taps in `order`: C's lower factor, with C's order and V's turned round."""
    turned = np.stack(
        [one[np.ix_(of, of)] for one, of in zip(covariance, order[:, ::-1], strict=True)]
    )
    factor = cholesky_factor(from_numpy(turned)).numpy()
    factor /= np.diagonal(factor, axis1=1, axis2=2)[:, None, :]
    return factor[:, ::-1, ::-1]


def _rounded_block(
    weights: np.ndarray,
    moved: np.ndarray,
    steps: np.ndarray,
    feedback: np.ndarray,
    nearest: Nearest,
) -> np.ndarray:
    """Round one block of taps, which those before it move by `moved`."""
    columns, movements, widths = (
        np.ascontiguousarray(np.moveaxis(x, 2, 0)) for x in (weights, moved, steps)
    )
    rounded = np.empty_like(columns)
    for k, column in enumerate(columns):
        rounded[k] = nearest(column + movements[k], widths[k])
        movements[k + 1 :] += (column - rounded[k]) * feedback[:, k, k + 1 :].T[:, :, None]
    return np.moveaxis(rounded, 0, 2)
