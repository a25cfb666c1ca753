"""scale-divisor keeps the divisor of a pool where exporters would lose it."""

from __future__ import annotations

import torch
from torch import nn

from edgevit.graph.aten import argument, op
from edgevit.rewrites.pools_and_padding.scale_divisor import ScaleDivisor
from tests.rewrites.checking import check_rewrite

RULE = ScaleDivisor()


def test_a_divisor_becomes_a_factor() -> None:
    pool = nn.AvgPool2d((3, 2), stride=2, padding=1, count_include_pad=False, divisor_override=5)
    after = check_rewrite(RULE, pool, torch.randn(1, 2, 9, 8), fires=1)
    pools = [node for node in after.calls() if op(node) == "avg_pool2d"]
    assert [argument(p, "divisor_override") for p in pools] == [None]


def test_ceil_mode_that_changes_nothing() -> None:
    pool = nn.AvgPool2d(2, ceil_mode=True, divisor_override=3)
    check_rewrite(RULE, pool, torch.randn(1, 2, 8, 8), fires=1)


def test_zeros_that_a_window_past_the_padding_sees_are_written_out() -> None:
    pool = nn.AvgPool2d(3, stride=2, ceil_mode=True, divisor_override=3)
    check_rewrite(RULE, pool, torch.randn(1, 2, 8, 8), fires=1)


def test_three_axes() -> None:
    pool = nn.AvgPool3d((2, 3, 2), padding=1, divisor_override=5)
    check_rewrite(RULE, pool, torch.randn(1, 2, 6, 5, 4), fires=1)


def test_leaves_other_pools() -> None:
    check_rewrite(RULE, nn.AvgPool2d(3), torch.randn(1, 2, 9, 9), fires=0)
