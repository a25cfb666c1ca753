"""expand-adaptive-pool: windows of unequal sizes."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.rewrites.pools_and_padding import expand_adaptive_pool
from edgevit.rewrites.pools_and_padding.expand_adaptive_pool import ExpandAdaptivePool
from tests.rewrites.checking import check_rewrite


def test_windows_of_unequal_sizes() -> None:
    check_rewrite(
        ExpandAdaptivePool(), nn.AdaptiveAvgPool2d((4, 3)), torch.randn(2, 3, 9, 8), fires=1
    )


def test_one_axis() -> None:
    check_rewrite(ExpandAdaptivePool(), nn.AdaptiveAvgPool1d(3), torch.randn(2, 3, 8), fires=1)


def test_windows_of_one_size_stay() -> None:
    check_rewrite(ExpandAdaptivePool(), nn.AdaptiveAvgPool2d((3, 4)), torch.randn(1, 2, 9, 8))


def test_matrices_too_large(monkeypatch) -> None:
    monkeypatch.setattr(expand_adaptive_pool, "_LARGEST", 10)
    check_rewrite(
        ExpandAdaptivePool(),
        nn.AdaptiveAvgPool2d(3),
        torch.randn(1, 2, 8, 8),
        refuses="48 elements",
    )


@settings(max_examples=20, deadline=None)
@given(
    before=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    after=st.tuples(st.integers(1, 7), st.integers(1, 7)),
)
def test_any_sizes(before: tuple[int, int], after: tuple[int, int]) -> None:
    unequal = any(a % b for a, b in zip(before, after, strict=True))
    check_rewrite(
        ExpandAdaptivePool(),
        nn.AdaptiveAvgPool2d(after),
        torch.randn(1, 2, *before),
        fires=int(unequal),
    )
