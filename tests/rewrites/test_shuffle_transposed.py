"""Transposed convolutions as convolutions and a pixel shuffle."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgevit.rewrites.convolutions.shuffle_transposed import ShuffleTransposed
from tests.rewrites.checking import check_rewrite

X = torch.randn(2, 4, 5, 7)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "more"),
    [(2, 2, 0, 0), (4, 2, 1, 0), (3, 2, 1, 1), (3, 1, 1, 0), (5, 3, 0, 0), (2, 3, 0, 1), ((3, 4), 2, (0, 1), 0)],
)  # fmt: skip
def test_every_pixel_is_the_same(
    kernel: int | tuple[int, int], stride: int, padding: int | tuple[int, int], more: int, groups: int
) -> None:  # fmt: skip
    net = nn.ConvTranspose2d(4, 8, kernel, stride, padding, more, groups, bias=groups > 1)
    check_rewrite(ShuffleTransposed(), net, X, fires=1)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "more"),
    [(4, 2, 1, 0), (3, 3, 0, 0), (5, 2, 2, 1), (3, 1, 1, 0)],
)
def test_every_sample_is_the_same(
    kernel: int, stride: int, padding: int, more: int, groups: int
) -> None:
    net = nn.ConvTranspose1d(4, 8, kernel, stride, padding, more, groups, bias=groups > 1)
    check_rewrite(ShuffleTransposed(), net, X[..., 0], fires=1)


@pytest.mark.parametrize(
    ("net", "why"),
    [
        (nn.ConvTranspose2d(4, 8, 3, dilation=2), "apart"),
        (nn.ConvTranspose2d(4, 8, 2, (2, 1)), "strides differ"),
        (nn.ConvTranspose2d(4, 8, 2, 2, 0, 1), "beyond"),
    ],
)
def test_others_are_left(net: nn.Module, why: str) -> None:
    check_rewrite(ShuffleTransposed(), net, X, fires=0, refuses=why)
