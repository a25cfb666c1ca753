"""Rounded weights: integers with scales of channels or blocks, or indices into a table of numbers."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.tensors import from_numpy
from edgevit.quantize.encoding import to_half
from edgevit.quantize.input_covariance import AboutMoments, Moments
from edgevit.quantize.palette import Palette
from edgevit.quantize.scheme import WeightForm
from edgevit.quantize.weight_rounding import compensated, compensated_by

_LEAST = 1e-30
_NEAR_STEP = 0.02  # of an input's step, whose noise is a twelfth of its square beside the variance
_FEWEST = 8  # channels in a block: scales of fewer cost more than they save


@dataclass(frozen=True)
class IntegerWeight:
    """Integers in the shape of the float weight, and a scale for each slice along `axis`.

    Scales of blocks are rows x blocks: each for as many input channels, in order.
    """

    integers: torch.Tensor  # int8, of `bits` bits
    scales: torch.Tensor
    axis: int
    bits: int
    bias: torch.Tensor | None  # corrected for the mean error of the rounding

    @property
    def most(self) -> int:
        return 2 ** (self.bits - 1) - 1

    @property
    def count(self) -> int:
        return self.integers.numel()

    def scales_of_rank(self, rank: int) -> torch.Tensor:
        """Return one scale a slice or block, with as many axes as a weight has."""
        ones = [1] * rank
        if self.scales.dim() == 2:
            return self.scales.reshape(*self.scales.shape, *ones[2:])
        ones[self.axis] = -1
        return self.scales.reshape(ones)

    def spread_scales(self) -> torch.Tensor:
        """Return the scales in a shape that multiplies the integers."""
        scales = self.scales_of_rank(self.integers.dim())
        if self.scales.dim() == 2:
            return scales.repeat_interleave(self.integers.shape[1] // scales.shape[1], 1)
        return scales

    def floats(self) -> torch.Tensor:
        """Return the weight that the integers stand for."""
        return self.integers.float() * self.spread_scales().float()


@dataclass(frozen=True)
class PaletteWeight:
    """Indices in the shape of the float weight, and the numbers that they stand for."""

    indices: torch.Tensor  # uint8
    table: torch.Tensor  # 2 ** bits numbers, ascending
    bits: int
    bias: torch.Tensor | None

    @property
    def count(self) -> int:
        return self.indices.numel()

    def floats(self) -> torch.Tensor:
        return self.table[self.indices.long()]


RoundedWeight = IntegerWeight | PaletteWeight


class _Rounding(NamedTuple):
    bias: torch.Tensor | None
    form: WeightForm
    inputs: AboutMoments
    step: float
    rounded: RoundedWeight


class CompensatedWeights:
    """Weights that one format has rounded by their inputs, for the formats in which the same layer reads the same."""

    def __init__(self) -> None:
        self._of: dict[object, list[_Rounding]] = defaultdict(list)  # by the weight's numbers

    def rounded(
        self,
        node: Node,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        form: WeightForm,
        moments: Moments,
        step: float,
    ) -> RoundedWeight:
        about, earlier = moments.about(), self._of[_content(weight)]
        for one in earlier:
            alike = one.form == form and _same(one.bias, bias) and one.inputs.is_near(about)
            if alike and abs(one.step - step) <= _NEAR_STEP * step:
                return one.rounded
        result = rounded_weight(node, weight, bias, form, moments, step)
        earlier.append(_Rounding(bias, form, about, step, result))
        return result


def _content(weight: torch.Tensor) -> object:
    digest = hashlib.blake2b(weight.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return weight.shape, digest.digest()


def _same(bias: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    return bias is other or (bias is not None and other is not None and torch.equal(bias, other))


def rounded_weight(
    node: Node,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    form: WeightForm,
    moments: Moments | None,
    step: float,
) -> RoundedWeight:
    """Round a weight; with `moments`, so that sums over inputs like those of calibration stay.

    `step` is that of the layer's quantised input.
    """
    if kind(node) == "conv_transpose2d":
        moments = None
    if form.palette:
        return _palettised(weight, bias, form, moments, step)
    if kind(node) == "conv_transpose2d":
        return _nearest(weight, bias, form, axis=1)
    if moments is None and not form.block:
        return _nearest(weight, bias, form, axis=0)
    return _by_taps(weight, bias, form, moments, step)


def _nearest(
    weight: torch.Tensor, bias: torch.Tensor | None, form: WeightForm, axis: int
) -> IntegerWeight:
    most = 2 ** (form.bits - 1) - 1
    rows = weight.transpose(0, axis).double()
    scales = _scales(rows.flatten(1).abs().amax(1).numpy(), form)
    steps = from_numpy(scales).reshape(-1, *[1] * (rows.dim() - 1))
    integers = (rows / steps).round().clamp(-most, most).transpose(0, axis).to(torch.int8)
    return IntegerWeight(_in_order(integers), from_numpy(scales).float(), axis, form.bits, bias)


def _scales(peaks: np.ndarray, form: WeightForm) -> np.ndarray:
    """Return the scales of ranges that reach from -peak to peak, as their type holds them."""
    scales = np.maximum(peaks / (2 ** (form.bits - 1) - 1), _LEAST).astype(np.float32)
    return to_half(scales) if form.half_scales else scales.astype(np.float64)


def _by_taps(
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    form: WeightForm,
    moments: Moments | None,
    step: float,
) -> IntegerWeight:
    taps = _taps(weight).double().numpy()
    channels = weight.shape[1]
    blocks = channels // _block(channels, form.block)
    parts = np.abs(taps).reshape(len(taps), -1, blocks, channels // blocks)
    scales = _scales(parts.max((1, 3)), form)
    each = np.repeat(scales, channels // blocks, 1)
    steps = np.tile(each, (1, taps.shape[1] // channels))
    most = 2 ** (form.bits - 1) - 1
    if moments is None:
        integers = np.clip(np.rint(taps / steps), -most, most).astype(np.int8)
    else:
        integers = compensated(taps, scales[:, 0] if blocks == 1 else steps, moments, step, most)
        bias = _corrected(bias, taps - integers * steps, moments)
    stored = from_numpy(scales[:, 0] if blocks == 1 else scales).float()
    return IntegerWeight(_from_taps(from_numpy(integers), weight), stored, 0, form.bits, bias)


def _block(channels: int, largest: int) -> int:
    """Return the largest block that divides the channels; all of them where it would be small."""
    sizes = [size for size in range(1, min(channels, largest) + 1) if channels % size == 0]
    return sizes[-1] if sizes and sizes[-1] >= _FEWEST else channels


def _palettised(
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    form: WeightForm,
    moments: Moments | None,
    step: float,
) -> PaletteWeight:
    palette = Palette.fitted(weight.double().numpy().ravel(), form.bits, form.half_scales)
    taps = _taps(weight).double().numpy()
    near = palette.nearest(taps)
    if moments is not None:
        near = compensated_by(palette.nearest, taps, moments, step)
        bias = _corrected(bias, taps - near, moments)
    indices = _from_taps(from_numpy(palette.indices(near)), weight)
    return PaletteWeight(indices, from_numpy(palette.numbers).float(), form.bits, bias)


def _taps(weight: torch.Tensor) -> torch.Tensor:
    """Return N x taps, in the order of `Moments`: rows, columns, channels."""
    order = [0, *range(2, weight.dim()), 1]
    return weight.permute(order).reshape(len(weight), -1)


def _from_taps(taps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    sizes = [len(weight), *weight.shape[2:], weight.shape[1]]
    back = [0, weight.dim() - 1, *range(1, weight.dim() - 1)]
    return _in_order(taps.reshape(sizes).permute(back))


def _in_order(weight: torch.Tensor) -> torch.Tensor:
    """Return the weight with the strides of its shape.

    `contiguous` leaves strides alone that axes of length one make meaningless. A convolution takes
    them for channels that lie last, and so do the calls behind it.
    """
    return weight.clone(memory_format=torch.contiguous_format)


def _corrected(bias: torch.Tensor | None, error: np.ndarray, moments: Moments) -> torch.Tensor:
    """Add what the rounding takes from the mean of each sum: its error times the mean input."""
    groups = len(moments.mean)
    mean = np.einsum("grt,gt->gr", error.reshape(groups, -1, error.shape[1]), moments.mean)
    whole = from_numpy(mean.reshape(-1))
    return (whole if bias is None else bias.double() + whole).float()
