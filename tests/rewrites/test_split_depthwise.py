"""Depthwise convolutions with windows that XNNPACK has no kernel for."""

from __future__ import annotations

from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.graph.aten import argument, kind
from edgevit.graph.program import Program, shape
from edgevit.rewrites.convolutions.split_depthwise import SplitDepthwise
from tests.rewrites.checking import check_rewrite, kinds


def taps(program: Program) -> list[int]:
    convolutions = [node for node in program.calls() if kind(node) == "conv2d"]
    return [prod(shape(argument(node, "weight"))[2:]) for node in convolutions]


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([(7, 7), (9, 9), (7, 5), (1, 27), (27, 1), (3, 9)]),
    st.integers(1, 2),
    st.integers(1, 2),
    st.integers(1, 3),
    st.booleans(),
    st.data(),
)
def test_large_windows_are_sums_of_small_ones(
    window: tuple[int, int], stride: int, dilation: int, times: int, bias: bool, data: st.DataObject
) -> None:
    half = [dilation * (size - 1) // 2 for size in window]
    padding = tuple(data.draw(st.integers(dilation, max(p, dilation))) for p in half)
    net = nn.Conv2d(3, 3 * times, window, stride, padding, dilation, 3, bias)
    size = [
        max(dilation * (k - 1) + 1 - 2 * p, 1) + 5 for k, p in zip(window, padding, strict=True)
    ]
    after = check_rewrite(SplitDepthwise(), net, torch.randn(2, 3, *size), fires=1)
    assert max(taps(after)) <= 25
    assert sum(taps(after)) == prod(window) * times


def test_seven_by_seven_is_three() -> None:
    net = nn.Conv2d(4, 4, 7, padding="same", groups=4)
    after = check_rewrite(SplitDepthwise(), net, torch.randn(1, 4, 9, 9), fires=1)
    assert sorted(taps(after)) == [12, 16, 21]
    assert kinds(after).count("add") == 2


def test_several_outputs_a_channel_are_apart() -> None:
    net = nn.Conv2d(4, 8, 3, padding=1, groups=4)
    after = check_rewrite(SplitDepthwise(), net, torch.randn(1, 4, 6, 6), fires=1)
    assert taps(after) == [9, 9]


@pytest.mark.parametrize(
    ("net", "why"),
    [
        (nn.Conv2d(4, 4, 8, padding=3, groups=4), "no centre"),
        (nn.Conv2d(4, 4, 7, groups=4), "does not pad"),
        (nn.Conv2d(4, 4, 13, padding=6, groups=4), "more than 25 taps"),
        (nn.Conv2d(4, 4, 5, padding=2, groups=4), ""),
        (nn.Conv2d(4, 4, 7, padding=3, groups=2), ""),
        (nn.Conv2d(1, 4, 7, padding=3), ""),
    ],
)
def test_what_stays(net: nn.Module, why: str) -> None:
    check_rewrite(SplitDepthwise(), net, torch.randn(1, net.in_channels, 13, 13), refuses=why)
