"""A clamp of a clamp is one clamp."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.graph.aten import kind
from edgevit.rewrites.arithmetic.merge_clamps import MergeClamps
from tests.rewrites.checking import check_rewrite

X = torch.linspace(-9, 9, 37).reshape(1, 37)


def test_a_chain_is_one_clamp() -> None:
    net = nn.Sequential(nn.ReLU6(), nn.Hardtanh(-0.5, 7.5), nn.ReLU())
    after = check_rewrite(MergeClamps(), net, X, fires=2)
    assert [(kind(node), *node.args[1:]) for node in after.calls()] == [("hardtanh", 0.0, 6.0)]


def test_two_of_the_same() -> None:
    after = check_rewrite(MergeClamps(), nn.Sequential(nn.ReLU(), nn.ReLU()), X, fires=1)
    assert [kind(node) for node in after.calls()] == ["relu"]


class Twice(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = nn.functional.relu6(x)
        return y, y.clamp(1, 2)


def test_what_others_read_stays() -> None:
    check_rewrite(MergeClamps(), Twice(), X, fires=0)


class Chain(nn.Module):
    def __init__(self, links: list[tuple[str, tuple[float | None, float | None]]]) -> None:
        super().__init__()
        self.links = links

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name, bounds in self.links:
            x = getattr(self, name)(x, *bounds)
        return x

    def relu(self, x: torch.Tensor, *_: float) -> torch.Tensor:
        return x.relu()

    def relu6(self, x: torch.Tensor, *_: float) -> torch.Tensor:
        return nn.functional.relu6(x)

    def hardtanh(self, x: torch.Tensor, a: float | None, b: float | None) -> torch.Tensor:
        low, high = sorted((a or 0.0, b or 1.0))
        return nn.functional.hardtanh(x, low, high + 0.5)

    def clamp(self, x: torch.Tensor, a: float | None, b: float | None) -> torch.Tensor:
        return x if a is None and b is None else x.clamp(a, b)


BOUND = st.none() | st.integers(-8, 8).map(lambda n: n / 2)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["relu", "relu6", "hardtanh", "clamp"]), st.tuples(BOUND, BOUND)),
        min_size=2,
        max_size=4,
    )
)
def test_any_chain_is_one(links: list[tuple[str, tuple[float | None, float | None]]]) -> None:
    there = [link for link in links if link[0] != "clamp" or link[1] != (None, None)]
    check_rewrite(MergeClamps(), Chain(links), X, fires=max(len(there) - 1, 0))


def test_bounds_that_are_tensors_and_whole_numbers_stay() -> None:
    class Tensors(nn.Module):
        def forward(self, x: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
            return x.relu().clamp(low, low + 1)

    class Whole(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.clamp(-3, 3).relu()

    check_rewrite(MergeClamps(), Tensors(), X, torch.zeros(37), fires=0)
    check_rewrite(MergeClamps(), Whole(), torch.arange(-5, 5), fires=0)
