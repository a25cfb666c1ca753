"""name-shapes and merge-reshapes."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.rewrites.layout.merge_reshapes import MergeReshapes
from edgevit.rewrites.layout.name_shapes import NameShapes
from tests.rewrites.checking import check_rewrite

X = torch.randn(2, 3, 4)


class As(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(x)
        row = x[:1].reshape_as(y[:1]).expand_as(y)
        return torch.sin(x).flatten().view_as(y) + row


def test_shapes_are_named() -> None:
    after = check_rewrite(NameShapes(), As(), X, fires=3)
    assert all(not str(n.target).startswith("aten.reshape_as") for n in after.calls())


class Reshaped(nn.Module):
    def __init__(self, sizes: list[list[int]]) -> None:
        super().__init__()
        self.sizes = sizes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sin(x)
        for size in self.sizes:
            x = x.reshape(size)
        return torch.cos(x)


def test_there_and_back_again_is_nothing() -> None:
    after = check_rewrite(MergeReshapes(), Reshaped([[6, 4], [2, 3, 4]]), X, fires=1)
    assert len(list(after.calls())) == 2


def test_a_lone_reshape_stays() -> None:
    check_rewrite(MergeReshapes(), Reshaped([[6, 4]]), X, fires=0)


def test_a_permute_in_between_is_a_border() -> None:
    class Transposed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1).t().reshape(4, 6)

    check_rewrite(MergeReshapes(), Transposed(), X, fires=0)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.sampled_from([[24], [6, 4], [2, 3, 4], [1, 24], [4, 3, 2], [2, 12]]),
        min_size=2,
        max_size=5,
    )
)
def test_any_chain_is_at_most_one_reshape(sizes: list[list[int]]) -> None:
    start = [2, 3, 4]
    after = check_rewrite(MergeReshapes(), Reshaped(sizes), X, fires=1)
    assert len(list(after.calls())) == 2 + (sizes[-1] != start)
