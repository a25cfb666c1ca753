"""Products with one-hot rows, written parts of an axis, and tensors of one number, in calls of moved rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from edgevit.rewrites.arithmetic.expand_one_hot import ExpandOneHot
from edgevit.rewrites.arithmetic.fold_fills import FoldFills
from edgevit.rewrites.arithmetic.gather_one_hot import GatherOneHot
from edgevit.rewrites.arithmetic.scatter_mean import ScatterMean
from edgevit.rewrites.layout.join_writes import JoinWrites
from tests.rewrites.checking import Call, check_rewrite, kinds

X = torch.randn(1, 7, 4, generator=torch.Generator().manual_seed(0))
NUMBERS = {
    (first, count): torch.arange(first, first + count)
    for first, count in ((0, 7), (0, 4), (0, 6), (0, 14), (-2, 7))
}
FALLING, EYE, ONES = torch.arange(7).flip(0), torch.eye(2, 7)[None], torch.ones(1, 1, 7)
Function = Callable[[torch.Tensor], torch.Tensor]


def rows(places: torch.Tensor, count: int, first: int = 0) -> torch.Tensor:
    return (places.unsqueeze(-1) == NUMBERS[first, count]).float()


def best(x: torch.Tensor, count: int = 3) -> torch.Tensor:
    return x.sum(-1).topk(count, 1)[1]


TAKEN: dict[str, tuple[Function, list[str]]] = {
    "rows": (lambda x: rows(best(x), 7) @ x, ["gather"]),
    "rows behind a prefix": (lambda x: rows(best(x[:, 2:]), 7, -2) @ x, ["gather"]),
    "rows of rows": (lambda x: rows(best(x), 7) @ rows(x.argmax(-1), 4), ["gather", "eq"]),
    "added rows": (lambda x: x + rows(best(x), 7).mT @ x[:, 2:5], ["scatter_add"]),
    "put into nothing": (lambda x: rows(best(x), 7).mT @ x[:, 2:5] * 2, ["scatter_add"]),
    "beside others": (
        lambda x: torch.cat([EYE, rows(best(x), 7), x.mT.softmax(-1)], 1) @ x,
        ["gather", "cat", "matmul"],
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_rows_are_taken_by_their_places(name: str) -> None:
    function, left = TAKEN[name]
    after = check_rewrite(GatherOneHot(), Call(lambda _, x: function(x)), X, fires=2 if "beside" in name else 1)  # fmt: skip
    assert set(left) <= set(kinds(after))
    assert "beside" in name or "matmul" not in kinds(after)


STAY: dict[str, Function] = {
    "a place without a column": lambda x: rows(best(x), 6) @ x[:, 1:],
    "numbers out of order": lambda x: (best(x).unsqueeze(-1) == FALLING).float() @ x,
    "a comparison of values": lambda x: (x[..., :1].round() == NUMBERS[0, 7]).float() @ x,
    "places that were computed with": lambda x: rows(best(x) * 2, 14) @ x.repeat(1, 2, 1),
    "other constant rows": lambda x: torch.cat([ONES, rows(best(x), 7)], 1) @ x,
}  # fmt: skip


@pytest.mark.parametrize("function", STAY.values(), ids=STAY)
def test_other_products_stay(function: Function) -> None:
    check_rewrite(GatherOneHot(), Call(lambda _, x: function(x)), X)


def test_one_hot_is_a_comparison() -> None:
    net = Call(lambda _, x: nn.functional.one_hot(best(x), 7).float() @ x)
    assert "eq" in kinds(check_rewrite(ExpandOneHot(), net, X, fires=1))


def test_a_mean_of_written_rows_is_a_quotient() -> None:
    def averaged(x: torch.Tensor, reduce: str, own: bool = True) -> torch.Tensor:
        places = x[:, 3:].argmax(-1, keepdim=True).clamp(max=2).expand(-1, -1, 4)
        return x[:, :3].scatter_reduce(1, places, x[:, 3:], reduce, include_self=own)

    after = check_rewrite(ScatterMean(), Call(lambda _, x: averaged(x, "mean")), X, fires=1)
    assert kinds(after).count("scatter_add") == 2
    check_rewrite(ScatterMean(), Call(lambda _, x: averaged(x, "sum")), X)
    check_rewrite(ScatterMean(), Call(lambda _, x: averaged(x, "mean", False)), X, refuses="the old value is not")  # fmt: skip
    apart = Call(lambda _, x: x.scatter_reduce(1, x.argsort(1), x, "mean"))
    check_rewrite(ScatterMean(), apart, X, refuses="places of their own")


def test_tensors_of_one_number_are_constants() -> None:
    def fills(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return x * torch.ones_like(x) + torch.full_like(x, 2.0) + x.new_zeros(4) + x.new_full((4,), 3)  # fmt: skip

    check_rewrite(FoldFills(), Call(fills), X, fires=4)


def test_written_parts_are_joined() -> None:
    def written(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = torch.select_scatter(x, x[:, 0] * 2, 1, -1)
        return torch.slice_scatter(y, x[..., :2] * 3, 2, 1, 3)

    after = check_rewrite(JoinWrites(), Call(written), X, fires=2)
    assert kinds(after).count("cat") == 2

    stepped = Call(lambda _, x: torch.slice_scatter(x, x[:, :4], 1, 0, 7, 2))
    check_rewrite(JoinWrites(), stepped, X, refuses="no neighbours")
