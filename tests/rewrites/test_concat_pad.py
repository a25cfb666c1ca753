"""Paddings with a constant, as concatenations."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.rewrites.pools_and_padding.concat_pad import ConcatPad
from tests.rewrites.checking import check_rewrite


class Padded(nn.Module):
    def __init__(self, amounts: list[int], value: float = 0.0, behind: nn.Module | None = None):
        super().__init__()
        self.amounts, self.value, self.behind = amounts, value, behind or nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.behind(nn.functional.pad(x, self.amounts, value=self.value))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=2, max_size=8).filter(
        lambda x: len(x) % 2 == 0 and any(x)
    ),
    st.floats(-3, 3, width=16),
)
def test_any_border_of_a_constant(amounts: list[int], value: float) -> None:
    check_rewrite(ConcatPad(), Padded(amounts, value), torch.randn(2, 3, 4, 5), fires=1)


@pytest.mark.parametrize(
    ("net", "why"),
    [
        (Padded([1, 1, 1, 1], behind=nn.Conv2d(3, 4, 3)), "pad themselves"),
        (Padded([-1, 1]), "cuts off"),
    ],
)
def test_what_stays_a_padding(net: nn.Module, why: str) -> None:
    check_rewrite(ConcatPad(), net, torch.randn(1, 3, 8, 8), fires=0, refuses=why)
