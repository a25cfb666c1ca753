"""Unfold and fold without a weight."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from edgevit.rewrites.pools_and_padding.slice_unfold import SliceUnfold
from tests.rewrites.checking import Call, check_rewrite, kinds


def test_no_weight_is_made() -> None:
    net = Call(lambda s, x: F.unfold(x, 3, padding=1))
    after = check_rewrite(SliceUnfold(), net, torch.randn(2, 64, 8, 8), fires=1)
    assert not after.constants
    assert "conv2d" not in kinds(after)


def test_tiles_are_a_permute() -> None:
    net = Call(lambda s, x: F.unfold(x, 2, stride=2))
    after = check_rewrite(SliceUnfold(), net, torch.randn(1, 3, 8, 8), fires=1)
    assert kinds(after) == ["reshape", "permute", "reshape"]


def test_a_window_of_too_many_places_stays() -> None:
    net = Call(lambda s, x: F.unfold(x, 17))
    check_rewrite(SliceUnfold(), net, torch.randn(1, 1, 20, 20), refuses="289 places")


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    def pair(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    return {
        "kernel_size": pair(1, 4),
        "stride": pair(1, 4),
        "padding": pair(0, 2),
        "dilation": pair(1, 3),
    }


@settings(max_examples=30, deadline=None)
@given(how=windows(), high=st.integers(4, 9), wide=st.integers(4, 9))
def test_any_window(how: dict[str, Any], high: int, wide: int) -> None:
    reach = [(k - 1) * d for k, d in zip(how["kernel_size"], how["dilation"], strict=True)]
    assume(high + 2 * how["padding"][0] > reach[0] and wide + 2 * how["padding"][1] > reach[1])
    image = torch.randn(2, 3, high, wide)
    columns = F.unfold(image, **how)
    assume(columns.numel() > 0)
    check_rewrite(SliceUnfold(), Call(lambda s, x: F.unfold(x, **how)), image, fires=1)
    fold = Call(lambda s, x: F.fold(x, (high, wide), **how))
    check_rewrite(SliceUnfold(), fold, columns, fires=1)
