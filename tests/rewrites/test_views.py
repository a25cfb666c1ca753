"""The rules that spell views in three words, and rolls, steps, means and products for those who have no other."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.graph.aten import argument, kind
from edgevit.rewrites.arithmetic.expand_reduction import ExpandReduction
from edgevit.rewrites.arithmetic.expand_roll import ExpandRoll
from edgevit.rewrites.arithmetic.expand_step import ExpandStep
from edgevit.rewrites.engine import apply
from edgevit.rewrites.layout.flatten_matmul import FlattenMatmul
from edgevit.rewrites.layout.merge_permutes import MergePermutes
from edgevit.rewrites.layout.name_views import NameViews
from edgevit.rewrites.layout.permute_images import PermuteImages
from edgevit.rewrites.layout.slice_before_permute import SliceBeforePermute
from tests.rewrites.checking import Call, check_rewrite, kinds, program_for

X = torch.randn(2, 6, 7, 5)
VIEWS = {
    "transpose": lambda x: x.transpose(-1, 1),
    "movedim": lambda x: x.movedim(1, -1),
    "swapaxes": lambda x: x.swapaxes(0, 2),
    "mT": lambda x: x.mT,
    "select": lambda x: x[:, -1],
    "narrow": lambda x: x.narrow(-1, 1, 3),
    "chunk": lambda x: x.chunk(4, 1)[1],
    "split": lambda x: x.split([1, 4, 1], dim=1)[1],
    "split_evenly": lambda x: x.split(4, dim=-2)[-1],
    "tensor_split": lambda x: x.tensor_split((2, 5), dim=1)[1],
    "unbind": lambda x: x.unbind(-1)[2],
    "flatten": lambda x: x.flatten(1, 2),
    "unflatten": lambda x: x.unflatten(1, (2, 3)),
    "squeeze": lambda x: x[:1].squeeze(0),
    "unsqueeze": lambda x: x.unsqueeze(-2),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_have_three_names(name: str) -> None:
    after = check_rewrite(NameViews(), Call(lambda s, x: VIEWS[name](x) * 2), X, fires=1)
    assert set(kinds(after)) <= {"reshape", "permute", "slice", "mul"}


@st.composite
def turns(draw: st.DrawFn) -> tuple[tuple[int, ...], list[list[int]]]:
    rank = draw(st.integers(2, 5))
    sizes = tuple(draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank)))
    return sizes, draw(st.lists(st.permutations(range(rank)), min_size=1, max_size=4))


@settings(max_examples=30, deadline=None)
@given(turns())
def test_permutes_in_a_row_are_one(case: tuple[tuple[int, ...], list[list[int]]]) -> None:
    sizes, permutations = case

    def function(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        for permutation in permutations:
            x = x.permute(permutation)
        return x + 1

    net, x = Call(function), torch.randn(sizes)
    before = program_for(net, x)
    after = apply(MergePermutes(), before)[0]
    assert kinds(after).count("permute") <= 1
    assert torch.equal(before.run()[0], after.run()[0])
    assert not apply(MergePermutes(), after)[1]


def test_a_permute_that_moves_only_ones_is_a_reshape() -> None:
    net = Call(lambda s, x: x.permute(0, 2, 1, 3))
    after = check_rewrite(MergePermutes(), net, torch.randn(2, 1, 5, 3), fires=1)
    assert kinds(after) == ["reshape"]


@pytest.mark.parametrize(
    ("shifts", "axes"), [((2,), (1,)), ((-3, 1), (2, 3)), ((7,), (2,)), ((5,), None), ((1, 1), (1, 1))]
)  # fmt: skip
def test_a_roll_is_two_slices(shifts: tuple[int, ...], axes: tuple[int, ...] | None) -> None:
    after = check_rewrite(ExpandRoll(), Call(lambda s, x: x.roll(shifts, axes) * 2), X, fires=1)
    assert "roll" not in kinds(after)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 11), st.integers(-12, 12), st.integers(-12, 12), st.integers(2, 5))
def test_steps_are_first_values_of_rows(size: int, start: int, end: int, step: int) -> None:
    x = torch.randn(2, size, 3)
    wanted = x[:, start:end:step]
    if not wanted.numel() or wanted.shape == x.shape:
        return
    after = check_rewrite(ExpandStep(), Call(lambda s, x: x[:, start:end:step] * 2), x, fires=1)
    slices = [node for node in after.calls() if kind(node) == "slice"]
    assert all(argument(node, "step") == 1 for node in slices)


@pytest.mark.parametrize("axes", [None, 1, (1, 3), (-1,), (2, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("name", ["mean", "sum"])
def test_reductions_are_products(name: str, axes: tuple[int, ...], keepdim: bool) -> None:
    net = Call(lambda s, x: getattr(x, name)(**({} if axes is None else {"dim": axes, "keepdim": keepdim})))  # fmt: skip
    pooled = name == "mean" and axes == (2, 3)
    after = check_rewrite(ExpandReduction(), net, X, fires=0 if pooled and keepdim else 1)
    assert ("mean" in kinds(after)) == pooled
    assert "sum" not in kinds(after)


def test_sums_of_integers_stay() -> None:
    net = Call(lambda s, x: x.int().sum(1).float())
    check_rewrite(ExpandReduction(), net, X, fires=0)


@pytest.mark.parametrize(
    ("left", "right", "fires", "name"),
    [
        ((2, 3, 4, 5), (2, 3, 5, 6), 1, "bmm"),
        ((3, 4, 5), (3, 5, 6), 1, "bmm"),
        ((2, 3, 4, 5), (5, 6), 1, "mm"),
        ((2, 3, 4, 5), (1, 3, 5, 6), 0, "matmul"),
        ((4, 5), (2, 5, 6), 2, "mm"),
        ((2, 4, 5), (5,), 0, "matmul"),
    ],
)
def test_products_of_stacks(
    left: tuple[int, ...], right: tuple[int, ...], fires: int, name: str
) -> None:
    net = Call(lambda s, x, y: x @ y)
    after = check_rewrite(FlattenMatmul(), net, torch.randn(left), torch.randn(right), fires=fires)
    assert name in kinds(after)


def test_images_are_turned_before_they_are_tokens() -> None:
    net = Call(lambda s, x: x.reshape(2, 6, 35).permute(0, 2, 1) * 2)
    after = check_rewrite(PermuteImages(), net, X, fires=1)
    assert kinds(after) == ["permute", "reshape", "mul"]
    net = Call(lambda s, x: x.permute(0, 2, 1).reshape(2, 6, 7, 5) * 2)
    after = check_rewrite(PermuteImages(), net, torch.randn(2, 35, 6), fires=1)
    assert kinds(after) == ["reshape", "permute", "mul"]


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: x.reshape(2, 42, 5).permute(0, 2, 1),  # rows of an image are no tokens
        lambda s, x: (y := x.reshape(2, 6, 35)).permute(0, 2, 1) @ y,  # read as it is, too
        lambda s, x: x.reshape(2, 6, 35).permute(1, 2, 0),
    ],
)
def test_other_turns_stay(function) -> None:
    check_rewrite(PermuteImages(), Call(function), X, fires=0)


def test_slices_of_a_permuted_value_come_first() -> None:
    parts = Call(lambda s, x: x.permute(0, 2, 3, 1)[..., 1:6:2] * x.permute(0, 2, 3, 1)[..., :3])
    after = check_rewrite(SliceBeforePermute(), parts, X, fires=2)
    assert kinds(after)[-1] == "mul"
    shared = Call(lambda s, x: (y := x.permute(0, 2, 3, 1))[..., :3].sum() + y.exp().sum())
    check_rewrite(SliceBeforePermute(), shared, X, fires=0)
