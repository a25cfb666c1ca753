"""Weights with zeros in a pattern, the others of each row fitted to what the layer computed.

    argmin_W',b'  E |W x + b - (W' x + b')|^2,  W' zero where the pattern says     x over the calibration inputs

With C the covariance of x and P = C^-1, a row w without the inputs Z is w - w_Z P_ZZ^-1 P_Z:, and w_Z P_ZZ^-1 w_Z^T is what it
loses: that is how zeros are chosen too (Frantar and Alistarh 2023, "SparseGPT"; OBS, on the layer's output). They are chosen in
rounds, each from rows that are fitted to the zeros so far. In closed form, in float64: no training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

_DAMPING = 1e-4  # of the mean variance, so that channels that depend on one another have an inverse
_ROUNDS = 4


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

    def chosen(self, weight: np.ndarray, precision: np.ndarray, done: float) -> np.ndarray:
        """Return which weights are zero when that share of all rounds is done."""
        ...


@dataclass(frozen=True)
class BlockZeros:
    """That share of the blocks of `height` outputs x `width` inputs, those first that lose least."""

    share: float
    height: int
    width: int

    def chosen(self, weight: np.ndarray, precision: np.ndarray, done: float) -> np.ndarray:
        outputs, inputs = weight.shape
        starts = range(0, inputs, self.width)
        each = [_losses(weight, precision, slice(start, start + self.width)) for start in starts]
        padded = np.pad(np.stack(each, 1), ((0, -outputs % self.height), (0, 0)))
        groups = padded.reshape(-1, self.height, len(each)).sum(1)
        zero = np.zeros(groups.size, bool)
        zero[groups.ravel().argsort(kind="stable")[: int(self.share * done * groups.size)]] = True
        block = np.ones((self.height, self.width), bool)
        return np.kron(zero.reshape(groups.shape), block)[:outputs, :inputs]


@dataclass(frozen=True)
class TwoOfFour:
    """Two of every four inputs in order, for each output; inputs that are no four have none."""

    height: int = 1
    width: int = 4

    def chosen(self, weight: np.ndarray, precision: np.ndarray, done: float) -> np.ndarray:
        whole = weight.shape[1] // 4 * 4
        losses = (np.square(weight) / precision.diagonal())[:, :whole].reshape(len(weight), -1, 4)
        places = losses.argsort(2, kind="stable")[:, :, : 1 if done <= 0.5 else 2]
        fours = np.zeros(losses.shape, bool)
        np.put_along_axis(fours, places, True, 2)
        zero = np.zeros(weight.shape, bool)
        zero[:, :whole] = fours.reshape(len(weight), whole)
        return zero


def sparse_fit(dense: np.ndarray, covariance: np.ndarray, pattern: Zeros) -> np.ndarray:
    """Return the weight of outputs x inputs with zeros. `covariance` is of the inputs."""
    damping = _DAMPING * max(float(covariance.diagonal().mean()), 1e-12)
    precision = np.linalg.inv(covariance + damping * np.eye(len(covariance)))
    fitted = dense
    for step in range(1, _ROUNDS + 1):
        zero = pattern.chosen(fitted, precision, step / _ROUNDS)
        fitted = _fitted(dense, precision, zero, pattern.height)
    return fitted


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
        fitted[rows] -= dense[rows, inputs] @ np.linalg.solve(crossed[:, inputs], crossed)
        fitted[rows, inputs] = 0
    return fitted
