"""Norms behind joined convolutions."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from edgevit.graph.aten import kind
from edgevit.rewrites.engine import run
from edgevit.rewrites.norms.split_affine import SplitAffine
from edgevit.rewrites.standard import STANDARD
from tests.rewrites.checking import check_rewrite, program_for, warm

X = torch.randn(1, 8, 9, 7, generator=torch.Generator().manual_seed(0))


class Joined(nn.Module):
    """Convolutions of several windows, each over its share of the channels, under one norm."""

    def __init__(
        self, windows: tuple[int, ...] = (3, 5), pooled: int = 0, second: bool = False
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            nn.Conv2d(8 // len(windows), 4 + 2 * k, k, padding=k // 2, bias=k == 3) for k in windows
        )
        self.norm = nn.BatchNorm2d(sum(4 + 2 * k for k in windows) + 8 * pooled)
        self.pooled, self.second = pooled, second

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        shares = x.chunk(len(self.parts), 1)
        pools = [F.max_pool2d(x * i, 3, 1, 1) for i in range(1, self.pooled + 1)]
        convolved = [part(share) for part, share in zip(self.parts, shares, strict=True)]
        joined = torch.cat([*convolved, *pools], 1)
        result = F.relu(self.norm(joined))
        return (result, joined) if self.second else (result,)


@settings(max_examples=12, deadline=None)
@given(
    windows=st.lists(st.sampled_from((1, 3, 5)), min_size=1, max_size=4).filter(
        lambda windows: 8 % len(windows) == 0
    ),
    pooled=st.integers(0, 1),
)
def test_each_part_has_its_own_norm(windows: list[int], pooled: int) -> None:
    net = warm(Joined(tuple(windows), pooled))
    check_rewrite(SplitAffine(), net, X, fires=1)


def test_the_convolutions_take_their_norms_in() -> None:
    after, _ = run(program_for(warm(Joined((1, 3, 5, 3))), X), STANDARD)
    kinds = [kind(node) for node in after.graph.nodes]
    assert kinds.count("conv2d") == 4 and "batch_norm" not in kinds


def test_what_others_read_stays() -> None:
    check_rewrite(SplitAffine(), warm(Joined(second=True)), X, refuses="second reader")


def test_pools_alone_are_no_reason_for_more_calls() -> None:
    check_rewrite(SplitAffine(), warm(Joined(pooled=2)), X, refuses="2 of its parts")
