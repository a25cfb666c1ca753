"""Convolutions whose padding is a word: every rule that reads it works out the same numbers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.graph.aten import kind
from edgevit.rewrites.convolutions.collapse_linear import CollapseLinear
from edgevit.rewrites.convolutions.padding import padding_of
from edgevit.rewrites.convolutions.split_depthwise import SplitDepthwise
from edgevit.rewrites.norms.fold_norm_affine import FoldNormAffine
from tests.rewrites.checking import check_rewrite, program_for, warm


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.integers(1, 6), min_size=3, max_size=3),
    st.integers(1, 3),
    st.sampled_from(["same", "valid", 1]),
)
def test_padding_is_what_makes_the_sizes_come_out(
    dims: int, window: list[int], dilation: int, padding: str | int
) -> None:
    conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]
    net = conv(2, 3, window[:dims], padding=padding, dilation=dilation, bias=False)
    image = torch.randn(1, 2, *(17,) * dims)
    (call,) = (node for node in program_for(net, image).calls() if kind(node) == f"conv{dims}d")
    ends = [amount for axis in reversed(padding_of(call)) for amount in axis]
    bare = getattr(nn.functional, f"conv{dims}d")
    padded = bare(nn.functional.pad(image, ends), net.weight, dilation=dilation)
    torch.testing.assert_close(padded, net(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_batch_norm_folds_whatever_the_padding_is_called(padding: str) -> None:
    net = nn.Sequential(nn.Conv2d(4, 4, 3, padding=padding, bias=False), nn.BatchNorm2d(4))
    check_rewrite(CollapseLinear(), warm(net), torch.randn(2, 4, 9, 9), fires=1)


def test_one_more_pixel_behind_would_take_a_larger_window() -> None:
    net = nn.Sequential(nn.Conv2d(4, 4, 4, padding="same", bias=False), nn.BatchNorm2d(4))
    check_rewrite(CollapseLinear(), warm(net), torch.randn(2, 4, 9, 9), fires=0)


def test_a_depthwise_window_of_even_height_pads_more_behind() -> None:
    net = nn.Conv2d(4, 4, (4, 9), padding="same", groups=4)
    why = "more on one side"
    check_rewrite(SplitDepthwise(), net, torch.randn(1, 4, 12, 12), fires=0, refuses=why)


class NormThenConvolution(nn.Module):
    def __init__(self, size: int, padding: str) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(2, 4)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)
        self.conv = nn.Conv2d(4, 3, size, padding=padding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(self.norm(x))


@pytest.mark.parametrize(
    ("size", "padding", "fires"), [(1, "same", 1), (3, "valid", 1), (3, "same", 0)]
)
def test_a_norm_goes_into_what_does_not_pad(size: int, padding: str, fires: int) -> None:
    refuses = "" if fires else "pads with zeros"
    net = NormThenConvolution(size, padding)
    check_rewrite(FoldNormAffine(), net, torch.randn(2, 4, 7, 7), fires=fires, refuses=refuses)
