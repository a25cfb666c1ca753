"""Integer parameters of operations, computed from grids and real numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgevit.integer.rounding import LARGEST, multiplier_of
from edgevit.quantize import LIMITS, Grid, Moments, compensated

_ONE = float(1 << 32)
_REACH = 2.0**31 - 1
_FAR = (
    2.0**11
)  # of an accumulator: beyond both ends of the grid where its multiplier cannot be doubled
_SMALLEST = 2.0**-18  # of a multiplier: 14 bits are left of it


@dataclass(frozen=True)
class ChannelParameters:
    """Parameters of a sum of products: weights, and a bias and a multiplier a channel.

    Its output is on `grid`.
    """

    weight: np.ndarray  # int8, N x taps
    bias: np.ndarray
    multiplier: np.ndarray
    grid: Grid


@dataclass(frozen=True)
class Weights:
    """Float weights (N x taps), one bias per channel and, if calibrated, the statistics of the
    input.
    """

    taps: np.ndarray
    bias: np.ndarray
    inputs: Moments | None = None


def channels(weights: Weights, source: Grid, output: Grid) -> ChannelParameters:
    """Quantise weights by channel.

    The output grid is widened where a multiplier could not represent its factor.
    """
    scale = np.abs(weights.taps).max(1) / 127
    output = output.widened(float((source.scale * scale).max() / LARGEST))
    scale = np.maximum(scale, _SMALLEST * output.scale / source.scale)
    while True:
        parameters = _rounded(weights, source, output, scale)
        exact = _exact_bias(parameters, weights, source, scale)
        reach = -float(LIMITS[source.dtype][0]) * np.abs(parameters.weight.astype(np.int64)).sum(1)
        room = _REACH - reach
        over = np.abs(exact) > room
        grow = over & (2 * source.scale * scale <= LARGEST * output.scale)
        if grow.any():
            scale = np.where(grow, 2 * scale, scale)
        elif (reach[over] < _REACH / 2 - _FAR).all():
            # such a bias saturates the channel at an end of the grid, and so does a smaller one
            return replace(parameters, bias=np.clip(exact, -room, room).astype(np.int32))
        else:
            output = output.widened(2 * output.scale)


def _rounded(weights: Weights, source: Grid, output: Grid, scale: np.ndarray) -> ChannelParameters:
    """Quantise the weights and multipliers, with the bias still zero."""
    multiplier = multiplier_of(np.minimum(source.scale * scale / output.scale, LARGEST))
    none = np.zeros(len(scale), np.int32)
    return ChannelParameters(_integers(weights, source, scale), none, multiplier, output)


def _integers(weights: Weights, source: Grid, scale: np.ndarray) -> np.ndarray:
    if weights.inputs is not None:
        return compensated(weights.taps, scale, weights.inputs, source.scale)
    return np.clip(np.rint(weights.taps / scale[:, None]), -127, 127).astype(np.int8)


def _exact_bias(
    parameters: ChannelParameters, weights: Weights, source: Grid, scale: np.ndarray
) -> np.ndarray:
    """Compute the bias.

    It includes both zero points and corrects the mean error of rounding the weights.
    """
    drift = _rounding_bias(weights, weights.taps - parameters.weight * scale[:, None])
    step = _ONE / parameters.multiplier.astype(np.float64)
    moved = np.rint(((weights.bias + drift) / parameters.grid.scale + parameters.grid.zero) * step)
    return moved - source.zero * parameters.weight.astype(np.int64).sum(1)


def _rounding_bias(weights: Weights, rest: np.ndarray) -> np.ndarray:
    """Return the mean error of every sum due to rounding."""
    if weights.inputs is None:
        return np.zeros(len(rest))
    groups, width = weights.inputs.mean.shape
    return (rest.reshape(groups, -1, width) * weights.inputs.mean[:, None]).sum(2).ravel()


@dataclass(frozen=True)
class Requantization:
    """A multiplier and the initial value of the accumulator; the output is on `grid`."""

    multiplier: int
    bias: int
    grid: Grid


def scaled(step: float, output: Grid, bias: float = 0.0) -> Requantization:
    """Compute multiplier and initial value.

    `step` is the real value of one accumulator unit; `bias`, in these units, is added.
    """
    output = output.widened(step / LARGEST)
    multiplier = int(multiplier_of(min(step / output.scale, LARGEST)))
    return Requantization(multiplier, round(bias + output.zero * _ONE / multiplier), output)


@dataclass(frozen=True)
class SumParameters:
    """Parameters of an `Add` or `AddWide`."""

    left: int
    right: int
    offset: int
    shift: int


def narrow_sum(a: Grid, b: Grid, y: Grid, sign: int = 1) -> SumParameters | None:
    """Compute the parameters with the longest shift whose sums fit 16 bits.

    None where none fits.
    """
    ra, rb = a.scale / y.scale, sign * b.scale / y.scale
    rest = y.zero - ra * a.zero - rb * b.zero + 0.5
    for shift in range(15, -1, -1):
        # each of the two floors takes half of one away on average
        parameters = SumParameters(
            round(ra * 2 ** (8 + shift)),
            round(rb * 2 ** (8 + shift)),
            round(rest * 2**shift + 1),
            shift,
        )
        factors = abs(parameters.left), abs(parameters.right)
        if max(factors) < 2**15 and sum(factors) // 2 + 2 + abs(parameters.offset) < 2**15:
            return parameters
    return None


def fitting_sum(
    find: Callable[[Grid, Grid, Grid, int], SumParameters | None],
    a: Grid,
    b: Grid,
    y: Grid,
    sign: int,
) -> tuple[Grid, SumParameters]:
    """Return the grid of a sum and its parameters: where a term has far larger steps, so has the sum."""
    while (parameters := find(a, b, y, sign)) is None:
        y = y.widened(2 * y.scale)
    return y, parameters


def wide_sum(a: Grid, b: Grid, y: Grid, sign: int = 1) -> SumParameters:
    """Compute the parameters of a sum in 32 bits."""
    parameters = wide_sum_if_it_fits(a, b, y, sign)
    if parameters is None:
        raise ValueError(f"no sum of {a} and {b} on {y}")
    return parameters


def wide_sum_if_it_fits(a: Grid, b: Grid, y: Grid, sign: int = 1) -> SumParameters | None:
    """Compute the parameters of a sum in 32 bits; None where a term's steps are far larger than the sum's."""
    ra, rb = a.scale / y.scale, sign * b.scale / y.scale
    rest = y.zero - ra * a.zero - rb * b.zero + 0.5
    width = 128 if b.dtype == "int8" else 2**15
    for shift in range(31, 0, -1):
        parameters = SumParameters(
            round(ra * 2**shift), round(rb * 2**shift), round(rest * 2**shift), shift
        )
        factors = abs(parameters.left), abs(parameters.right)
        reach = 2**15 * factors[0] + width * factors[1] + abs(parameters.offset)
        if max(factors) < 2**15 and reach < 2**31:
            return parameters
    return None


@dataclass(frozen=True)
class ShiftParameters:
    """The parameters of a `Rescale`."""

    factor: int
    offset: int
    shift: int


def rescale(x: Grid, y: Grid) -> ShiftParameters:
    ratio = x.scale / y.scale
    for shift in range(31, 0, -1):
        factor = round(ratio * 2**shift)
        offset = round((y.zero - ratio * x.zero + 0.5) * 2**shift)
        if 0 < factor < 2**15 and 2**15 * factor + abs(offset) < 2**31:
            return ShiftParameters(factor, offset, shift)
    raise ValueError(f"no rescaling from {x} to {y}")


@dataclass(frozen=True)
class Quotient:
    """The ratio `numerator / 2^shift`."""

    numerator: int
    shift: int


def quotient(ratio: float, most: int = 65535 << 15) -> Quotient:
    """Approximate a ratio. The numerator is at least half of `most`, so 2^30 or more by default."""
    shift = int(np.floor(np.log2(most / ratio)))
    return Quotient(min(round(ratio * 2.0**shift), most), shift)


@dataclass(frozen=True)
class AffineParameters:
    """Gain and bias a channel behind a 16-bit norm."""

    gain: np.ndarray
    bias: np.ndarray
    shift: int


def affine(weight: np.ndarray, bias: np.ndarray, step: float, y: Grid) -> AffineParameters:
    """Quantise gain and bias. `step` is the real value of one unit of the 16 bits."""
    ratio, rest = weight * step / y.scale, bias / y.scale + y.zero + 0.5
    for shift in range(31, 0, -1):
        gain, offset = np.rint(ratio * 2.0**shift), np.rint(rest * 2.0**shift)
        reach = np.abs(gain) * 2**15 + np.abs(offset)
        if np.abs(gain).max() < 2**15 and reach.max() < 2**31:
            return AffineParameters(gain.astype(np.int16), offset.astype(np.int32), shift)
    raise ValueError(f"no gain of {np.abs(weight).max():.3g} on {y}")


def table(points: Sequence[float] | np.ndarray, y: Grid) -> np.ndarray:
    return y.quantized(np.nan_to_num(np.asarray(points), nan=0.0, posinf=y.high, neginf=y.low))
