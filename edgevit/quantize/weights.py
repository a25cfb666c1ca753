"""Integer weights: one scale for each output channel, rounded to the nearest or with compensation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.tensors import from_numpy
from edgevit.quantize.encoding import to_half
from edgevit.quantize.input_covariance import Moments
from edgevit.quantize.weight_rounding import compensated

_LEAST = 1e-30


@dataclass(frozen=True)
class IntegerWeight:
    """Integers in the shape of the float weight, and a scale for each slice along `axis`."""

    integers: torch.Tensor  # int8, of `bits` bits
    scales: torch.Tensor
    axis: int
    bits: int
    bias: torch.Tensor | None  # corrected for the mean error of the rounding

    @property
    def most(self) -> int:
        return 2 ** (self.bits - 1) - 1

    def floats(self) -> torch.Tensor:
        """Return the weight that the integers stand for."""
        along = [1] * self.integers.dim()
        along[self.axis] = -1
        return self.integers.float() * self.scales.float().reshape(along)


def integer_weight(
    node: Node,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    bits: int,
    moments: Moments | None,
    step: float,
    half_scales: bool = False,
) -> IntegerWeight:
    """Round a weight; with `moments`, so that sums over inputs like those of calibration stay.

    `step` is that of the layer's quantised input.
    """
    transposed = kind(node) == "conv_transpose2d"
    axis = 1 if transposed else 0
    most = 2 ** (bits - 1) - 1
    rows = weight.transpose(0, axis).double()
    scales = (rows.flatten(1).abs().amax(1) / most).clamp_min(_LEAST).float().double()
    if half_scales:
        scales = from_numpy(to_half(scales.numpy()))
    if moments is None or transposed:
        integers = (rows / scales.reshape(-1, *[1] * (rows.dim() - 1))).round()
        integers = integers.clamp(-most, most).transpose(0, axis)
        return IntegerWeight(integers.to(torch.int8).contiguous(), scales.float(), axis, bits, bias)
    taps = _taps(weight).double().numpy()
    rounded = compensated(taps, scales.numpy(), moments, step, most)
    integers = _from_taps(from_numpy(rounded), weight)
    error = taps - rounded * scales.numpy()[:, None]
    return IntegerWeight(integers, scales.float(), axis, bits, _corrected(bias, error, moments))


def _taps(weight: torch.Tensor) -> torch.Tensor:
    """Return N x taps, in the order of `Moments`: rows, columns, channels."""
    order = [0, *range(2, weight.dim()), 1]
    return weight.permute(order).reshape(len(weight), -1)


def _from_taps(taps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    sizes = [len(weight), *weight.shape[2:], weight.shape[1]]
    back = [0, weight.dim() - 1, *range(1, weight.dim() - 1)]
    return taps.reshape(sizes).permute(back).contiguous()


def _corrected(bias: torch.Tensor | None, error: np.ndarray, moments: Moments) -> torch.Tensor:
    """Add what the rounding takes from the mean of each sum: its error times the mean input."""
    groups = len(moments.mean)
    mean = np.einsum("grt,gt->gr", error.reshape(groups, -1, error.shape[1]), moments.mean)
    whole = from_numpy(mean.reshape(-1))
    return (whole if bias is None else bias.double() + whole).float()
