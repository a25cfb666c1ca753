"""The rules that spell pads, flips, resizes, pools, windows and deviations in calls that delegates take."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from edgevit.graph.aten import argument, kind
from edgevit.rewrites.arithmetic.expand_variance import ExpandVariance
from edgevit.rewrites.engine import apply
from edgevit.rewrites.layout.flatten_matmul import FlattenMatmul
from edgevit.rewrites.layout.permute_places import PermutePlaces
from edgevit.rewrites.layout.permute_softmax import PermuteSoftmax
from edgevit.rewrites.layout.slice_select import SliceSelect
from edgevit.rewrites.pools_and_padding.expand_unfold import ExpandUnfold
from edgevit.rewrites.pools_and_padding.gather_pad import GatherPad
from edgevit.rewrites.pools_and_padding.pad_average import PadAverage
from edgevit.rewrites.resize.gather_nearest import GatherNearest
from tests.rewrites.checking import Call, check_rewrite, kinds, program_for

X = torch.randn(2, 3, 6, 7)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("pads", [(1, 2), (2, 0, 1, 3), (0, 0, 2, 2)])
def test_pads_with_the_image_are_slices(mode: str, pads: tuple[int, ...]) -> None:
    x = X if len(pads) == 4 else X[0]
    net = Call(lambda s, x: functional.pad(x, pads, mode))
    gathered = check_rewrite(GatherPad(), net, x, fires=1)
    sliced = apply(SliceSelect(), gathered)[0]
    assert torch.equal(sliced.run()[0], net(x))
    assert set(kinds(sliced)) <= {"slice", "cat"}


@pytest.mark.parametrize("axes", [(0,), (1, 3), (-1,)])
def test_flips_are_slices(axes: tuple[int, ...]) -> None:
    gathered = check_rewrite(GatherPad(), Call(lambda s, x: x.flip(axes)), X, fires=1)
    sliced = apply(SliceSelect(), gathered)[0]
    assert torch.equal(sliced.run()[0], X.flip(axes))
    assert "index_select" not in kinds(sliced)


def test_constant_pads_stay() -> None:
    check_rewrite(GatherPad(), Call(lambda s, x: functional.pad(x, (1, 1), value=2.0)), X, fires=0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.integers(0, 1))
def test_known_places_are_slices(places: list[int], axis: int) -> None:
    x = torch.randn(7, 7, 2)
    net = Call(lambda s, x: x.index_select(axis, s.places) * 2, places=torch.tensor(places))
    before = program_for(net, x)
    after, fired, refused = apply(SliceSelect(), before)
    assert torch.equal(before.run()[0], after.run()[0])
    assert bool(fired) != bool(refused)
    assert refused == () or "slices" in refused[0].why


@pytest.mark.parametrize("times", [2, 3])
def test_repeated_pixels_are_a_product(times: int) -> None:
    net = Call(lambda s, x: functional.interpolate(x, scale_factor=times))
    check_rewrite(GatherNearest(), net, X, fires=0)
    gathered = check_rewrite(GatherNearest(every=True), net, X, fires=1)
    sliced = apply(SliceSelect(), gathered)[0]
    assert set(kinds(sliced)) == {"reshape", "mul"}
    assert torch.equal(sliced.run()[0], net(X))


@pytest.mark.parametrize("axis", [0, 1, -2])
def test_softmaxes_are_over_the_last_axis(axis: int) -> None:
    after = check_rewrite(PermuteSoftmax(), Call(lambda s, x: x.softmax(axis)), X, fires=1)
    assert kinds(after) == ["permute", "softmax", "permute"]
    check_rewrite(PermuteSoftmax(), Call(lambda s, x: x.softmax(-1)), X, fires=0)


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("extreme", ["argmax", "argmin"])
def test_places_of_channels_are_over_the_last_axis(extreme: str, keeps: bool) -> None:
    net = Call(lambda s, x: getattr(x, extreme)(1, keepdim=keeps))
    after = check_rewrite(PermutePlaces(), net, X, fires=1)
    assert kinds(after)[:2] == ["permute", extreme]
    for axis in (None, -1):
        other = Call(lambda s, x, axis=axis: getattr(x, extreme)(axis))
        check_rewrite(PermutePlaces(), other, X, fires=0)


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize(("window", "stride", "padding"), [(3, 2, 1), ((2, 3), 1, (1, 0)), (4, None, 2)])  # fmt: skip
def test_average_pools_pad_beforehand(window, stride, padding, counts: bool) -> None:
    net = Call(lambda s, x: functional.avg_pool2d(x, window, stride, padding, count_include_pad=counts))  # fmt: skip
    after = check_rewrite(PadAverage(), net, X, fires=1)
    (pool,) = [node for node in after.calls() if kind(node) == "avg_pool2d"]
    assert argument(pool, "padding") in (0, [0, 0])


def test_other_average_pools_stay() -> None:
    check_rewrite(PadAverage(), Call(lambda s, x: functional.avg_pool2d(x, 3, 2)), X, fires=0)
    net = Call(lambda s, x: functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True))
    check_rewrite(PadAverage(), net, X, fires=0)


WINDOWS = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": (2, 3), "dilation": (2, 1)},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": (1, 2), "stride": (3, 2)},
]


@pytest.mark.parametrize("how", WINDOWS)
def test_windows_are_convolutions(how: dict[str, int]) -> None:
    x = torch.randn(2, 3, 6, 8)
    after = check_rewrite(
        ExpandUnfold(), Call(lambda s, x: functional.unfold(x, **how)), x, fires=1
    )
    assert kinds(after) == ["reshape", "conv2d", "reshape"][-len(kinds(after)) :]
    columns = functional.unfold(x, **how)
    net = Call(lambda s, y: functional.fold(y, (6, 8), **how))
    after = check_rewrite(ExpandUnfold(), net, columns, fires=1)
    assert set(kinds(after)) <= {"reshape", "conv_transpose2d", "slice", "constant_pad_nd"}


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_window_of_any_image(data: st.DataObject) -> None:
    window = [data.draw(st.integers(1, 4)) for _ in range(2)]
    tiles = data.draw(st.booleans())
    step = window if tiles else [data.draw(st.integers(1, 4)) for _ in range(2)]
    near = [1 if tiles else data.draw(st.integers(1, 2)) for _ in range(2)]
    pad = [0 if tiles else data.draw(st.integers(0, 2)) for _ in range(2)]
    size = [
        d * (k - 1) + 1 + data.draw(st.integers(0, 6)) for k, d in zip(window, near, strict=True)
    ]
    how = {"kernel_size": window, "stride": step, "dilation": near, "padding": pad}
    x = torch.randn(2, 3, *size)
    check_rewrite(ExpandUnfold(), Call(lambda s, x: functional.unfold(x, **how)), x, fires=1)
    net = Call(lambda s, y: functional.fold(y, size, **how))
    check_rewrite(ExpandUnfold(), net, functional.unfold(x, **how), fires=1)


def test_windows_side_by_side_are_a_permute() -> None:
    x = torch.randn(2, 3, 6, 8)
    unfold = Call(lambda s, x: functional.unfold(x, (2, 4), stride=(2, 4)))
    fold = Call(lambda s, y: functional.fold(y, (6, 8), (2, 4), stride=(2, 4)))
    for net, source in ((unfold, x), (fold, unfold(x))):
        after = check_rewrite(ExpandUnfold(), net, source, fires=1)
        assert kinds(after) == ["reshape", "permute", "reshape"]


@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.parametrize("how", [{}, {"dim": 1}, {"dim": (2, 3), "keepdim": True}, {"dim": -1, "correction": 0}])  # fmt: skip
def test_variances_in_steps(name: str, how: dict[str, object]) -> None:
    net = Call(lambda s, x: getattr(x, name)(**how))
    after = check_rewrite(ExpandVariance(), net, X, fires=1)
    assert name not in kinds(after)


def test_a_variance_of_one_value_stays() -> None:
    check_rewrite(ExpandVariance(), Call(lambda s, x: x[:, :1].var(1)), X, refuses="zero")


def test_one_matrix_from_the_left() -> None:
    net = Call(lambda s, x: s.a @ x, a=torch.randn(4, 6))
    after = check_rewrite(FlattenMatmul(), net, X, fires=2)
    assert "mm" in kinds(after)
