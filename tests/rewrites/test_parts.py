"""Attention head by head, permutes by split and join, windows in parts, siblings made one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.graph.parity import distance
from edgevit.graph.program import shape
from edgevit.rewrites.attention.join_projections import JoinProjections
from edgevit.rewrites.attention.split_heads import SplitHeads
from edgevit.rewrites.convolutions.split_window import SplitWindow
from edgevit.rewrites.engine import apply
from edgevit.rewrites.layout.join_slices import JoinSlices
from edgevit.rewrites.layout.permute_by_parts import PermuteByParts
from tests.rewrites.checking import Call, check_rewrite, kinds, program_for

Attention = Callable[..., torch.Tensor]
SWAP = (0, 1, 3, 2)


def qkv(heads: int) -> tuple[torch.Tensor, ...]:
    return tuple(torch.randn(1, heads, 4, tokens) for tokens in (5, 7, 7))


ATTENTIONS: dict[str, Attention] = {
    "by columns": lambda s, q, k, v: v @ (k.permute(SWAP) @ q).softmax(-2),
    "by rows": lambda s, q, k, v: (q.permute(SWAP) @ k + s.bias).softmax(-1) @ v.permute(SWAP),
    "one bias": lambda s, q, k, v: v @ (k.permute(SWAP) @ q / 2 + s.bias[:, :1].mT).softmax(2),
}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_each_head_alone(name: str) -> None:
    net = Call(ATTENTIONS[name], bias=torch.randn(1, 3, 5, 7))
    after = check_rewrite(SplitHeads(), net, *qkv(3), fires=1)
    weights = [node for node in after.calls() if "softmax" in node.name]
    assert [shape(node)[1] for node in weights] == [1, 1, 1]


def test_one_head_many_heads_and_windows_are_left() -> None:
    net = Call(ATTENTIONS["by columns"])
    check_rewrite(SplitHeads(), net, *qkv(1), fires=0)
    check_rewrite(SplitHeads(), net, *qkv(13), fires=0, refuses="13 heads")

    def function(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        tokens = x.reshape(1, 4, 6, 9)
        return tokens @ (tokens.permute(SWAP) @ tokens).softmax(-2)

    windows = torch.randn(4, 6, 3, 3)
    check_rewrite(SplitHeads(), Call(function), windows, fires=0, refuses="small already")


def test_weights_that_others_read_stay_together() -> None:
    def function(_: nn.Module, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        weights = (k.permute(SWAP) @ q).softmax(-2)
        return (v @ weights).sum() + weights.amax()

    check_rewrite(SplitHeads(), Call(function), *qkv(2), fires=0)


def test_windows_are_a_stack_without_a_transpose() -> None:
    x = torch.randn(1, 5, 6, 6)
    net = Call(lambda s, x: x.reshape(5, 2, 3, 2, 3).permute(1, 3, 0, 2, 4) * 2)
    after = check_rewrite(PermuteByParts(), net, x, fires=1)
    assert "permute" not in kinds(after)
    back = Call(lambda s, x: x.reshape(2, 2, 5, 3, 3).permute(2, 0, 3, 1, 4).exp())
    assert "permute" not in kinds(check_rewrite(PermuteByParts(), back, x, fires=1))


def test_patches_are_a_stack_by_way_of_pixels() -> None:
    x = torch.randn(1, 5, 6, 8)
    net = Call(lambda s, x: x.reshape(15, 2, 4, 2).permute(1, 3, 0, 2) + 1)
    after = check_rewrite(PermuteByParts(), net, x, fires=1)
    assert "pixel_unshuffle" in kinds(after) and "permute" not in kinds(after)
    back = Call(lambda s, x: x.reshape(2, 2, 15, 4).permute(2, 0, 3, 1).reshape(1, 5, 6, 8) + 1)
    after = check_rewrite(PermuteByParts(), back, x, fires=1)
    assert "pixel_shuffle" in kinds(after) and "permute" not in kinds(after)


@pytest.mark.parametrize(
    ("turn", "why"),
    [((0, 2, 1, 3), "longer than 4"), ((0, 1, 3, 2), "takes rows of pixels apart")],
    ids=["long", "rows"],
)
def test_what_is_not_taken_apart(turn: tuple[int, ...], why: str) -> None:
    net = Call(lambda s, x: x.permute(turn) * 2)
    check_rewrite(PermuteByParts(), net, torch.randn(2, 6, 5, 7), fires=0, refuses=why)


def test_a_swap_for_a_product_stays() -> None:
    net = Call(lambda s, x: x.permute(1, 0, 2) @ x.permute(1, 2, 0))
    check_rewrite(PermuteByParts(), net, torch.randn(2, 3, 4), fires=0)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(4)), st.lists(st.integers(1, 5), min_size=4, max_size=4))
def test_any_permute(turn: list[int], sizes: list[int]) -> None:
    check = program_for(Call(lambda s, x: x.permute(turn) + 1), torch.randn(sizes))
    after = apply(PermuteByParts(), check)[0]
    assert torch.equal(after.run()[0], check.run()[0])


CONVOLUTIONS = {
    "patches": lambda: nn.Conv2d(3, 4, 16, 16),
    "strided, padded": lambda: nn.Conv2d(4, 6, (3, 15), (2, 3), (1, 5), groups=2),
    "dilated": lambda: nn.Conv2d(2, 2, (30, 3), dilation=(1, 2), bias=False),
    "same": lambda: nn.Conv2d(2, 3, (1, 27), padding="same"),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_wide_window_in_parts(name: str) -> None:
    net = CONVOLUTIONS[name]()
    x = torch.randn(2, net.in_channels, 48, 50)
    after = check_rewrite(SplitWindow((29, 13)), net, x, fires=1)
    kernels = [shape(node.args[1])[2:] for node in after.calls() if "conv2d" in node.name]  # type: ignore[arg-type]
    assert len(kernels) > 1
    assert all(high <= 29 and wide <= 13 for high, wide in kernels)


def test_a_window_that_fits_stays() -> None:
    check_rewrite(SplitWindow((29, 13)), nn.Conv2d(3, 4, 13), torch.randn(1, 3, 16, 16), fires=0)


class Siblings(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 5, 1, bias=False), nn.Linear(7, 2)
        self.d, self.far = nn.Linear(7, 3), nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        images = torch.cat([self.a(x).relu(), self.far(x), self.b(x)], 1)
        return images.mean() + (self.d(x).exp() * self.c(x)[..., :1]).sum()


def test_projections_of_one_value_are_one() -> None:
    after = check_rewrite(JoinProjections(), Siblings(), torch.randn(1, 3, 6, 7), fires=2)
    assert (kinds(after).count("conv2d"), kinds(after).count("linear")) == (2, 1)


def test_strides_apart_stay_apart() -> None:
    net = Call(lambda s, x: s.a(x).sum() + s.b(x).sum())  # type: ignore[operator]
    net.a, net.b = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1, stride=2)
    check_rewrite(JoinProjections(), net, torch.randn(1, 3, 6, 6), fires=0)


def test_slices_that_are_all_of_it_are_a_split() -> None:
    net = Call(lambda s, x: x[:, 2:].sum() - x[:, :2].amax() + x[:, :, :1].mean())
    after = check_rewrite(JoinSlices(), net, torch.randn(2, 5, 3), fires=1)
    assert kinds(after).count("slice") == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: x[:, 1:].sum() + x[:, :2].sum(),  # overlap
        lambda s, x: x[:, 3:].sum() + x[:, :2].sum(),  # a gap
        lambda s, x: x[:, ::2].sum() + x[:, 1::2].sum(),
        lambda s, x: x[:, 1:].sum(),
    ],
    ids=["overlap", "gap", "steps", "one"],
)
def test_other_slices_stay(function: Attention) -> None:
    check_rewrite(JoinSlices(), Call(function), torch.randn(2, 5, 3), fires=0)


def test_a_wide_window_of_a_net_is_exact_in_float32_too() -> None:
    net = nn.Conv2d(3, 8, 16, 16).eval()
    before = program_for(net, torch.randn(1, 3, 32, 32))
    after = apply(SplitWindow((29, 13)), before)[0]
    assert distance(before.run(), after.run()).rel_l2 < 1e-6
