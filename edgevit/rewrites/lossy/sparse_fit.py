"""Weights with zeros in a pattern, the others of each row fitted to what the layer computed.

    argmin_W',b'  E |W x + b - (W' x + b')|^2,  W' zero where the pattern says     x over the calibration inputs

With C the covariance of x and P = C^-1, a row w without the inputs Z is w - w_Z P_ZZ^-1 P_Z:, and w_Z P_ZZ^-1 w_Z^T is what it
loses: that is how zeros are chosen too (OBS, on the layer's output). Blocks are chosen in rounds, each from rows that are
fitted to the zeros so far. Two of four are chosen from left to right, which is one pass for all rows (Frantar and Alistarh
2023, "SparseGPT"). In closed form, in float64: no training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

_DAMPING = 1e-4  # of the mean variance, so that channels that depend on one another have an inverse
_ROUNDS = 4
_AT_ONCE = 64  # inputs; those behind are changed once for all of them


class Zeros(Protocol):
    """Pattern of zeros in a weight of outputs x inputs."""

    @property
    def height(self) -> int:
        """How many rows in order have the same zeros."""
        ...

    @property
    def width(self) -> int:
        """How many inputs in order the pattern has for its unit."""
        ...

    def fitted(self, dense: np.ndarray, precision: np.ndarray) -> np.ndarray:
        """Return the weights with zeros. `precision`: the inverse covariance of the inputs."""
        ...


@dataclass(frozen=True)
class BlockZeros:
    """That share of the blocks of `height` outputs x `width` inputs, those first that lose least."""

    share: float
    height: int
    width: int

    def fitted(self, dense: np.ndarray, precision: np.ndarray) -> np.ndarray:
        fitted = dense
        for step in range(1, _ROUNDS + 1):
            zero = self._chosen(fitted, precision, step / _ROUNDS)
            fitted = _fitted(dense, precision, zero, self.height)
        return fitted

    def _chosen(self, weight: np.ndarray, precision: np.ndarray, done: float) -> np.ndarray:
        """Return which weights are zero when that share of all rounds is done."""
        outputs, inputs = weight.shape
        starts = range(0, inputs, self.width)
        each = [_losses(weight, precision, slice(start, start + self.width)) for start in starts]
        padded = np.pad(np.stack(each, 1), ((0, -outputs % self.height), (0, 0)))
        groups = np.add.reduce(padded.reshape(-1, self.height, len(each)), axis=1)
        zero = np.zeros(groups.size, bool)
        zero[groups.ravel().argsort(kind="stable")[: int(self.share * done * groups.size)]] = True
        places = np.indices((outputs, inputs))
        return zero[places[0] // self.height * len(each) + places[1] // self.width]


@dataclass(frozen=True)
class TwoOfFour:
    """Two of every four inputs in order, for each output; inputs that are no four have none."""

    height: int = 1
    width: int = 4

    def fitted(self, dense: np.ndarray, precision: np.ndarray) -> np.ndarray:
        """Choose input after input, each made up for by those behind it: no two rows have the same zeros."""
        weight, inputs = dense.copy(), dense.shape[1]
        upper = np.linalg.cholesky(precision).T
        for start in range(0, inputs, _AT_ONCE):
            stop = min(start + _AT_ONCE, inputs)
            inside = slice(start, stop)
            lost = _two_of_four(weight[:, inside], upper[inside, inside])
            weight[:, stop:] -= lost @ upper[inside, stop:]
        return weight


def _two_of_four(weight: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Set zeros in place. Returns what each takes away, in units of its own U[k, k]."""
    lost = np.zeros_like(weight)
    scale = upper.diagonal()
    for first in range(0, weight.shape[1] // 4 * 4, 4):
        losses = np.square(weight[:, first : first + 4] / scale[first : first + 4])
        order = losses.argsort(1, kind="stable")
        for k in range(first, first + 4):
            zero = (order[:, :2] == k - first).any(1)
            lost[zero, k] = weight[zero, k] / scale[k]
            weight[:, k + 1 :] -= lost[:, k, None] * upper[k, k + 1 :]
            weight[zero, k] = 0
    return lost


def sparse_fit(dense: np.ndarray, covariance: np.ndarray, pattern: Zeros) -> np.ndarray:
    """Return the weight of outputs x inputs with zeros. `covariance` is of the inputs."""
    damping = _DAMPING * max(float(covariance.diagonal().mean()), 1e-12)
    precision = np.linalg.inv(covariance + damping * np.eye(len(covariance)))
    return pattern.fitted(dense, precision)


def _losses(weight: np.ndarray, precision: np.ndarray, inputs: slice) -> np.ndarray:
    """Return what each row loses without these inputs, where all others make up for it."""
    part = weight[:, inputs]
    return (part @ np.linalg.inv(precision[inputs, inputs]) * part).sum(1)


def _fitted(dense: np.ndarray, precision: np.ndarray, zero: np.ndarray, height: int) -> np.ndarray:
    fitted = dense.copy()
    for start in range(0, len(dense), height):
        inputs = np.flatnonzero(zero[start])
        crossed = precision[inputs]
        rows = slice(start, start + height)
        fitted[rows] -= np.linalg.solve(crossed[:, inputs], dense[rows, inputs].T).T @ crossed
        fitted[rows, inputs] = 0
    return fitted
