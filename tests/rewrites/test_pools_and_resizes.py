"""pad-ceil, gather-nearest, expand-scaled-resize and gather-top, for any sizes."""

from __future__ import annotations

from functools import partial

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from edgevit.rewrites.arithmetic.gather_top import GatherTop
from edgevit.rewrites.pools_and_padding.clip_window import ClipWindow, CountImage
from edgevit.rewrites.pools_and_padding.pad_ceil import PadCeil
from edgevit.rewrites.resize.expand_scaled_resize import ExpandScaledResize
from edgevit.rewrites.resize.gather_nearest import GatherNearest
from tests.rewrites.checking import check_rewrite

X = torch.randn(2, 3, 9, 8)


class Call(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> object:
        return self.function(x)


def test_a_window_over_the_edge_is_padded_and_weighed() -> None:
    net = Call(lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True))
    after = check_rewrite(PadCeil(), net, X, fires=1, text="constant_pad_nd")
    (weights,) = after.constants.values()
    assert weights.shape == (1, 1, 4, 4)
    assert weights[0, 0, 0].tolist() == [1, 1, 1, 1.5]  # 3 x 3 pixels and, last, 3 x 2


def test_only_pools_that_count_a_padding_are_padded_where_that_is_asked() -> None:
    for pads, counts, fires in ((1, True, 1), (1, False, 0), (0, True, 0)):
        net = Call(partial(F.avg_pool2d, kernel_size=3, stride=2, padding=pads, ceil_mode=True, count_include_pad=counts))  # fmt: skip
        check_rewrite(PadCeil(counts=True), net, X, fires=fires)


def test_a_window_larger_than_the_image_is_the_image() -> None:
    for pool in (nn.AvgPool2d(20, ceil_mode=True), nn.MaxPool2d((9, 30), ceil_mode=True)):
        check_rewrite(ClipWindow(), pool, X, fires=1, text="[9, 8]")
    for pool in (nn.AvgPool2d(8, ceil_mode=True), nn.AvgPool2d((9, 8), ceil_mode=True)):
        check_rewrite(ClipWindow(), pool, X, fires=0)


def test_padding_that_is_not_there_is_not_counted() -> None:
    check_rewrite(CountImage(), nn.AvgPool2d(2, ceil_mode=True), X, fires=1, text="True, False")
    check_rewrite(CountImage(), nn.AvgPool2d(3, 2, 1, ceil_mode=True), X, fires=0)


def test_max_pools_are_padded_with_nothing_that_could_win() -> None:
    net = Call(lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True))
    check_rewrite(PadCeil(), net, X.abs() - 100, fires=1, text="-inf")


def test_pools_without_ceil_mode_stay() -> None:
    check_rewrite(PadCeil(), Call(lambda x: F.avg_pool2d(x, 3, 2, 1)), X, fires=0)
    net = Call(lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True, divisor_override=5))
    check_rewrite(PadCeil(), net, X, fires=0)


@settings(max_examples=60, deadline=None)
@given(
    extents=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    window=st.tuples(st.integers(2, 3), st.integers(2, 3)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
    counts=st.booleans(),
    flat=st.booleans(),
)
def test_any_pool(
    extents: tuple[int, int],
    window: tuple[int, int],
    stride: int,
    padding: int,
    counts: bool,
    flat: bool,
) -> None:
    x = torch.randn(2, *extents) if flat else torch.randn(1, 2, *extents)
    average = Call(lambda x: F.avg_pool2d(x, window, stride, padding, True, counts))
    check_rewrite(PadCeil(), average, x, fires=1)
    largest = Call(lambda x: F.max_pool2d(x, window, stride, padding, 1, True))
    check_rewrite(PadCeil(), largest, x, fires=1)


def test_whole_multiples_stay_a_resize() -> None:
    check_rewrite(GatherNearest(), Call(lambda x: F.interpolate(x, scale_factor=2)), X, fires=0)
    check_rewrite(GatherNearest(), Call(lambda x: F.interpolate(x, size=(9, 24))), X, fires=0)


@settings(max_examples=40, deadline=None)
@given(
    before=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    after=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    mode=st.sampled_from(["nearest", "nearest-exact"]),
)
def test_any_nearest(before: tuple[int, int], after: tuple[int, int], mode: str) -> None:
    whole = mode == "nearest" and all(b % a == 0 for a, b in zip(before, after, strict=True))
    net = Call(lambda x: F.interpolate(x, size=after, mode=mode))
    check_rewrite(GatherNearest(), net, torch.randn(1, 2, *before), fires=int(not whole))


def test_nearest_by_a_given_scale_and_of_other_ranks() -> None:
    scaled = Call(lambda x: F.interpolate(x, scale_factor=(1.3, 2.7), recompute_scale_factor=False))
    check_rewrite(GatherNearest(), scaled, X, fires=1)
    line, room = X.flatten(2), X[:, :, None]
    check_rewrite(GatherNearest(), Call(lambda x: F.interpolate(x, size=31)), line, fires=1)
    check_rewrite(GatherNearest(), Call(lambda x: F.interpolate(x, size=(2, 5, 7))), room, fires=1)


def test_bilinear_by_a_scale_that_the_sizes_do_not_tell() -> None:
    rule = ExpandScaledResize()
    for scale in (1.3, 0.5, (1.5, 2.7)):
        net = Call(lambda x, s=scale: F.interpolate(x, scale_factor=s, mode="bilinear"))
        check_rewrite(rule, net, X, fires=1)
    for told in (2.0, (1.0, 1.5)):
        net = Call(lambda x, s=told: F.interpolate(x, scale_factor=s, mode="bilinear"))
        check_rewrite(rule, net, X, fires=0)
    sized = Call(lambda x: F.interpolate(x, size=(5, 7), mode="bilinear"))
    check_rewrite(rule, sized, X, fires=0)


def test_the_largest_are_gathered_when_nobody_asks_where() -> None:
    check_rewrite(GatherTop(), Call(lambda x: x.topk(3, 1)[0]), X, fires=1, text="gather")
    check_rewrite(GatherTop(), Call(lambda x: x.topk(2, -1, largest=False)[0]), X, fires=1)
    check_rewrite(GatherTop(), Call(lambda x: x.topk(2, 1)), X, fires=0)
    check_rewrite(GatherTop(), Call(lambda x: x.topk(2, 1)[1]), X, fires=0)
