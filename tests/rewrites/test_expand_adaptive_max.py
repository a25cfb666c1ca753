"""Adaptive max pools in calls that every runtime knows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from edgevit.rewrites.engine import apply
from edgevit.rewrites.pools_and_padding.expand_adaptive_max import (
    ExpandAdaptiveMax,
    ExpandAdaptivePlaces,
)
from tests.rewrites.checking import Call, check_rewrite, kinds

RULE = ExpandAdaptiveMax()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 13), min_size=2, max_size=2), st.data())
def test_any_size_to_any_size(size: list[int], data: st.DataObject) -> None:
    wanted = [data.draw(st.integers(1, n + 3)) for n in size]
    lead = data.draw(st.sampled_from([(3,), (2, 3)]))
    net = Call(lambda s, x: F.adaptive_max_pool2d(x * 2, wanted))
    after = check_rewrite(RULE, net, torch.randn(*lead, *size), fires=1)
    assert not any("adaptive" in name for name in kinds(after))


@pytest.mark.parametrize(("length", "count"), [(9, 4), (8, 4), (5, 1), (3, 7)])
@pytest.mark.parametrize("lead", [(3,), (2, 3)])
def test_along_one_axis(lead: tuple[int, ...], length: int, count: int) -> None:
    net = Call(lambda s, x: F.adaptive_max_pool1d(x * 2, count))
    check_rewrite(RULE, net, torch.randn(*lead, length), fires=1)


@pytest.mark.parametrize("counts", [(1, 2, 2), (3, 5, 4)])
def test_volumes(counts: tuple[int, int, int]) -> None:
    net = Call(lambda s, x: F.adaptive_max_pool3d(x * 2, counts))
    check_rewrite(RULE, net, torch.randn(2, 3, 4, 7, 8), fires=1)


def test_windows_of_one_size_are_one_call() -> None:
    net = Call(lambda s, x: F.adaptive_max_pool2d(x, (4, 1)))
    after = check_rewrite(RULE, net, torch.randn(1, 3, 8, 6), fires=1)
    assert kinds(after) == ["max_pool2d"]


def test_a_nan_stays_in_its_windows() -> None:
    x = torch.zeros(1, 1, 7, 7)
    x[..., 3, 3] = torch.nan
    after = check_rewrite(RULE, Call(lambda s, x: F.adaptive_max_pool2d(x, 3)), x, fires=1)
    assert torch.equal(after.run()[0].isnan(), F.adaptive_max_pool2d(x, 3).isnan())


def test_places_of_the_maxima_are_refused() -> None:
    net = Call(lambda s, x: sum(F.adaptive_max_pool2d(x, 3, return_indices=True)))
    check_rewrite(RULE, net, torch.randn(1, 3, 7, 7), refuses="where the maxima are")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=2), st.data())
def test_places_of_any_size(size: list[int], data: st.DataObject) -> None:
    wanted = [data.draw(st.integers(1, n + 2)) for n in size]
    net = Call(lambda s, x: F.adaptive_max_pool2d(x.round(), wanted, return_indices=True)[1] + 0)
    after = check_rewrite(ExpandAdaptivePlaces(), net, torch.randn(2, 3, *size) * 2, fires=1)
    assert not any("adaptive" in name for name in kinds(after))


def test_values_and_places() -> None:
    net = Call(lambda s, x: F.adaptive_max_pool1d(x, 3, return_indices=True))
    x = torch.randn(2, 3, 7)
    after = check_rewrite(ExpandAdaptivePlaces(), net, x, fires=1)
    after, fired, _ = apply(RULE, after)
    assert fired and not any("adaptive" in name for name in kinds(after))


@pytest.mark.parametrize(("size", "kernel", "fires"), [((6, 8), (3, 2), 1), ((6, 7), (3, 2), 0)])
def test_places_of_pools_whose_windows_lie_side_by_side(
    size: tuple[int, int], kernel: tuple[int, int], fires: int
) -> None:
    net = Call(lambda s, x: F.max_pool2d(x.round(), kernel, return_indices=True)[1] + 0)
    rule = ExpandAdaptivePlaces(tiles=True)
    check_rewrite(rule, net, torch.randn(2, 3, *size), fires=fires)
    check_rewrite(ExpandAdaptivePlaces(), net, torch.randn(2, 3, *size))
