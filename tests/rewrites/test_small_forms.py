"""Rules for calls that a converter takes, and makes another of."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from edgevit.graph.parity import distance
from edgevit.rewrites.arithmetic.cast_parts import CastParts
from edgevit.rewrites.arithmetic.clamp_hardtanh import ClampHardtanh
from edgevit.rewrites.arithmetic.expand_log1p import ExpandLog1p
from edgevit.rewrites.arithmetic.expand_silu import ExpandSilu
from edgevit.rewrites.arithmetic.fold_softmax import FoldSoftmax
from edgevit.rewrites.arithmetic.multiply_outer import MultiplyOuter
from edgevit.rewrites.arithmetic.name_axes import NameAxes
from edgevit.rewrites.arithmetic.name_extremes import NameExtremes
from edgevit.rewrites.arithmetic.number_clamps import NumberClamps
from edgevit.rewrites.arithmetic.same_indices import SameIndices
from edgevit.rewrites.convolutions.convolve_rows import ConvolveRows
from edgevit.rewrites.convolutions.convolve_slices import ConvolveSlices
from edgevit.rewrites.convolutions.multiply_places import MultiplyPlaces
from edgevit.rewrites.convolutions.number_padding import NumberPadding
from edgevit.rewrites.convolutions.own_weights import OwnWeights
from edgevit.rewrites.convolutions.split_taps import SplitTaps
from edgevit.rewrites.engine import run
from edgevit.rewrites.layout.join_writes import JoinWrites
from edgevit.rewrites.layout.keep_batch import KeepBatch
from edgevit.rewrites.layout.swap_product import SwapProduct
from edgevit.rewrites.pools_and_padding.pool_slices import PoolSlices
from edgevit.rewrites.resize.gather_nearest import GatherNearest
from tests.rewrites.checking import Call, check_rewrite, kinds

X = torch.randn(1, 4, 7, 8)


def test_parts_of_several_types_become_one() -> None:
    net = Call(lambda s, x: torch.cat([x, x.argmax(1, True), x > 0], 1))
    check_rewrite(CastParts(), net, X, fires=1)
    check_rewrite(CastParts(), Call(lambda s, x: torch.stack([x[0], x[0].long()])), X, fires=1)


def test_places_of_two_types_become_one() -> None:
    net = Call(lambda s, x: x[x.argmax(0).clamp(max=0).int(), :, x.argmax(1)[0, 0], 1:])
    check_rewrite(SameIndices(), net, X, fires=1)
    check_rewrite(SameIndices(), Call(lambda s, x: x[0, :, x.argmax(1)]), X, fires=0)


@pytest.mark.parametrize(
    ("layer", "fires"),
    [
        (torch.nn.Conv2d(4, 8, 3, 2, "valid"), 1),
        (torch.nn.Conv2d(4, 8, 3, padding="same", dilation=2, groups=2), 1),
        (torch.nn.Conv1d(4, 8, 5, padding="same"), 1),
        (torch.nn.Conv2d(4, 8, 2, padding="same"), 0),  # more behind than before
        (torch.nn.Conv2d(4, 8, 3, padding=1), 0),
    ],
)
def test_padding_said_by_a_word_is_numbers(layer: torch.nn.Module, fires: int) -> None:
    x = X[:, :, 0] if isinstance(layer, torch.nn.Conv1d) else X
    check_rewrite(NumberPadding(), layer, x, fires=fires)


@pytest.mark.parametrize(("limits", "fires"), [((0, 0.5), 1), ((-0.5, 1), 1), ((0.0, 0.5), 0)])
def test_limits_of_a_clamp_are_of_one_type(limits: tuple[float, float], fires: int) -> None:
    check_rewrite(NumberClamps(), Call(lambda s, x: x.clamp(*limits)), X, fires=fires)


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ((-0.5, 0.25), ["clamp"]),
        ((-torch.inf, 0.25), ["clamp"]),
        ((torch.nan, 0.25), None),
        ((-torch.inf, torch.inf), ["relu"]),
        ((0.25, -0.5), ["clamp"]),
    ],
)
def test_limits_in_buffers_become_numbers(
    limits: tuple[float, float], left: list[str] | None
) -> None:
    net = Call(lambda s, x: torch.clamp(x.relu() if left == ["relu"] else x, s.low, s.high))
    net.low, net.high = map(torch.tensor, limits)
    after = check_rewrite(NumberClamps(), net, X, fires=left is not None)
    assert left is None or kinds(after) == left


def test_a_softmax_of_one_value_is_one() -> None:
    check_rewrite(FoldSoftmax(), Call(lambda s, x: x + x[..., :1].softmax(-1)), X, fires=1)
    check_rewrite(FoldSoftmax(), Call(lambda s, x: x.softmax(-1)), X, fires=0)


def test_parts_of_one_type_stay() -> None:
    check_rewrite(CastParts(), Call(lambda s, x: torch.cat([x, x * 2], 1)), X, fires=0)


@settings(max_examples=30, deadline=None)
@given(st.floats(-12, 1.5), st.booleans())
def test_small_numbers_keep_their_digits(power: float, below: bool) -> None:
    x = torch.rand(64, dtype=torch.float64) * 10**power * (-1 if below else 1)
    check_rewrite(ExpandLog1p(), Call(lambda s, x: torch.expm1(x)), x, fires=1)
    near = x.clamp(min=-0.999)
    after = check_rewrite(ExpandLog1p(), Call(lambda s, x: torch.log1p(x)), near, fires=1)
    single = near.float().clamp(min=-0.99)
    (found,), wanted = after.run((single,)), torch.log1p(single.double())
    assert ((found - wanted).abs() <= wanted.abs() * 1e-6).all()


def test_the_ends_of_both() -> None:
    x = torch.tensor([-torch.inf, torch.inf, torch.nan, -1.0, -2.0, 0.0, 88.0])
    after = check_rewrite(ExpandLog1p(), Call(lambda s, x: torch.stack([x.expm1(), x.log1p()])), X.flatten(), fires=2)  # fmt: skip
    (found,) = after.run((x,))
    assert torch.allclose(found, torch.stack([x.expm1(), x.log1p()]), equal_nan=True)


def test_whole_numbers_stay() -> None:
    net = Call(lambda s, x: torch.log1p(x.long().abs()))
    check_rewrite(ExpandLog1p(), net, X, refuses="not of real numbers")


@pytest.mark.parametrize(
    ("how", "fires"),
    [({"scale_factor": 1.3}, 1), ({"scale_factor": 2}, 0), ({"size": (9, 9)}, 0)],
)
def test_a_scale_that_the_sizes_do_not_tell(how: dict[str, object], fires: int) -> None:
    net = Call(lambda s, x: F.interpolate(x, **how))  # type: ignore[arg-type]
    check_rewrite(GatherNearest(scaled=True), net, X, fires=fires)


def test_a_weight_of_a_convolution_and_of_its_transpose() -> None:
    weight = torch.randn(4, 4, 3, 3)
    tied = Call(lambda s, x: F.conv_transpose2d(F.conv2d(x, s.weight), s.weight), weight=weight)
    after = check_rewrite(OwnWeights(), tied, X, fires=1)
    assert len(after.constants) == 2
    twice = Call(lambda s, x: F.conv2d(F.conv2d(x, s.weight), s.weight), weight=weight)
    assert len(check_rewrite(OwnWeights(), twice, X, fires=0).constants) == 1
    assert kinds(after) == ["conv2d", "conv_transpose2d"]


@pytest.mark.parametrize("keepdim", [False, True])
def test_extremes_over_everything_name_their_axes(keepdim: bool) -> None:
    for extreme in (torch.amax, torch.amin):
        net = Call(lambda s, x, f=extreme: f(x, (), keepdim=keepdim))
        check_rewrite(NameAxes(), net, X, fires=1, text="[0, 1, 2, 3]")
        check_rewrite(NameAxes(), Call(lambda s, x, f=extreme: f(x, 1)), X, fires=0)


def test_a_silu_is_a_product() -> None:
    after = check_rewrite(ExpandSilu(), Call(lambda s, x: F.silu(x)), X, fires=1)
    assert kinds(after) == ["sigmoid", "mul"]


def test_a_linear_of_rows_is_a_convolution() -> None:
    net = Call(lambda s, x: s.head(x))
    net.head = torch.nn.Linear(8, 5)
    after = check_rewrite(ConvolveRows(), net, torch.randn(3, 8), fires=1)
    assert "linear" not in kinds(after)
    check_rewrite(ConvolveRows(), net, torch.randn(3, 2, 8), fires=0)


def test_a_convolution_of_one_tap_over_one_axis_is_a_linear_at_each_place() -> None:
    x = torch.randn(2, 8, 5)
    after = check_rewrite(MultiplyPlaces(), torch.nn.Conv1d(8, 6, 1), x, fires=1)
    assert kinds(after) == ["permute", "linear", "permute"]
    for window, options in ((3, {}), (1, {"stride": 2}), (1, {"groups": 2}), (1, {"padding": 1})):
        check_rewrite(MultiplyPlaces(), torch.nn.Conv1d(8, 6, window, **options), x, fires=0)


def test_an_outer_product_is_a_multiplication() -> None:
    net = Call(lambda s, x, y: torch.matmul(x, y))
    for left, right in (((3, 1), (1, 5)), ((2, 3, 1), (2, 1, 5)), ((4, 2, 3, 1), (1, 5))):
        after = check_rewrite(MultiplyOuter(), net, torch.randn(left), torch.randn(right), fires=1)
        assert kinds(after) == ["mul"]
    check_rewrite(MultiplyOuter(), net, torch.randn(3, 2), torch.randn(2, 5), fires=0)
    check_rewrite(MultiplyOuter(), net, torch.randn(1), torch.randn(1, 5), fires=0)


@pytest.mark.parametrize(
    ("window", "options"),
    [
        ((3, 3, 1), {"padding": (1, 1, 0)}),
        ((1, 3, 2), {"stride": (1, 2, 1), "groups": 2}),
        ((2, 1, 3), {"dilation": (2, 1, 1), "bias": False}),
    ],
)
def test_a_convolution_of_one_tap_over_one_of_three_axes_is_one_of_slices(
    window: tuple[int, int, int], options: dict[str, Any]
) -> None:
    x = torch.randn(2, 4, 5, 6, 7)
    after = check_rewrite(ConvolveSlices(), torch.nn.Conv3d(4, 6, window, **options), x, fires=1)
    assert kinds(after) == ["permute", "reshape", "conv2d", "reshape", "permute"]


def test_a_convolution_that_crosses_its_three_axes_stays() -> None:
    x = torch.randn(1, 4, 5, 6, 7)
    for options in ({"kernel_size": 2}, {"kernel_size": (3, 3, 1), "stride": 2}):
        check_rewrite(ConvolveSlices(), torch.nn.Conv3d(4, 6, **options), x, fires=0)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 2, "stride": 2, "groups": 4, "bias": False},
        {"kernel_size": (3, 1, 2), "dilation": (2, 1, 1), "padding": (2, 1, 0)},
    ],
)
def test_a_convolution_over_three_axes_is_a_sum_of_convolutions_of_slices(
    options: dict[str, Any],
) -> None:
    x = torch.randn(2, 4, 7, 6, 5)
    net = torch.nn.Conv3d(4, 4, **options)
    split = check_rewrite(SplitTaps(), net, x, fires=1)
    after, _ = run(split, (ConvolveSlices(),))
    assert "conv3d" not in kinds(after)
    assert distance(split.run(), after.run()).rel_l2 < 1e-6
    check_rewrite(SplitTaps(only_groups=True), net, x, fires="groups" in options)


@pytest.mark.parametrize(
    "pool",
    [
        torch.nn.MaxPool3d(3, 2, 1),
        torch.nn.MaxPool3d((2, 1, 1), dilation=(2, 1, 1), stride=1),
        torch.nn.AvgPool3d((3, 2, 2), (1, 2, 2), (1, 0, 0)),
        torch.nn.LocalResponseNorm(3),
    ],
)
def test_a_pool_over_three_axes_is_one_of_slices(pool: torch.nn.Module) -> None:
    x = torch.randn(2, 4, 7, 6, 5)
    x = x[:, :, 0] if isinstance(pool, torch.nn.LocalResponseNorm) else x
    assert not {"max_pool3d", "avg_pool3d"} & set(
        kinds(check_rewrite(PoolSlices(), pool, x, fires=1))
    )


def test_a_pool_over_three_axes_that_hangs_over_stays() -> None:
    x = torch.randn(1, 4, 7, 6, 5)
    for pool in (torch.nn.MaxPool3d(2, ceil_mode=True), torch.nn.AvgPool3d(3, 2, 1, count_include_pad=False)):  # fmt: skip
        check_rewrite(PoolSlices(), pool, x, fires=0)


def test_a_product_of_transposed_matrices_is_one_the_other_way_round() -> None:
    net = Call(lambda s, x: x[0].mT @ x[0, :, :7, :7].transpose(1, 2))
    assert kinds(check_rewrite(SwapProduct(), net, X, fires=1))[-2:] == ["matmul", "permute"]
    net = Call(lambda s, x: x[0].mT @ x[0, :, :7, :7].permute(0, 1, 2))
    check_rewrite(SwapProduct(), net, X, fires=0)


def test_a_permute_of_an_image_without_its_batch_keeps_it() -> None:
    net = Call(lambda s, x: x.reshape(4, 7, 4).permute(1, 0, 2) * 2)
    assert kinds(check_rewrite(KeepBatch(), net, X[..., :4], fires=1))[:2] == ["permute", "reshape"]
    check_rewrite(KeepBatch(), Call(lambda s, x: x.reshape(4, 7, 8).permute(1, 0, 2)), X, fires=0)


def test_a_maximum_without_its_place_is_a_reduction() -> None:
    for function in (torch.max, torch.min):
        for keeps in (False, True):
            net = Call(lambda s, x, f=function, keeps=keeps: f(x, 1, keeps).values)
            assert kinds(check_rewrite(NameExtremes(), net, X, fires=1))[0] in {"amax", "amin"}
    check_rewrite(NameExtremes(), Call(lambda s, x: tuple(torch.max(x, 1))), X, fires=0)


def test_writes_of_one_type_are_joined() -> None:
    net = Call(lambda s, x: torch.slice_scatter(x, ~x[:, :2], 1, 1, 3))
    check_rewrite(JoinWrites(torch.bool), net, X > 0, fires=1)
    check_rewrite(JoinWrites(torch.bool), net, X.long(), fires=0)


def test_a_hardtanh_whose_upper_limit_tracing_leaves_out_is_a_clamp() -> None:
    x = torch.randn(2, 9)
    after = check_rewrite(ClampHardtanh(), nn.Hardtanh(0.0, 1.0), x, fires=1)
    assert kinds(after) == ["clamp"]
    check_rewrite(ClampHardtanh(), nn.Hardtanh(), x, fires=0)
    check_rewrite(ClampHardtanh(), nn.ReLU6(), x, fires=0)
