"""Values of more than five axes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from edgevit.graph.program import shape
from edgevit.rewrites.engine import run
from edgevit.rewrites.layout.lower_rank import LowerPermutes, LowerRank
from edgevit.rewrites.layout.merge_reshapes import MergeReshapes
from edgevit.rewrites.layout.name_views import NameViews
from tests.rewrites.checking import Call, check_rewrite, program_for

X = torch.randn(4, 6, 8, 5)
Net = Callable[..., torch.Tensor]


def six(x: torch.Tensor) -> torch.Tensor:
    return x.view(2, 2, 3, 2, 8, 5)


def seven(x: torch.Tensor) -> torch.Tensor:
    return x.view(2, 2, 3, 2, 4, 2, 5)


NETS: dict[str, Net] = {
    "each value": lambda s, x: (six(x).sigmoid() * 2 + six(x)).flatten(1),
    "broadcast": lambda s, x: (seven(x) * s.scale + seven(x)[:, :1] * 3).flatten(2),
    "a number without axes": lambda s, x: (six(x) > s.number).float().flatten(1) + s.number,
    "chosen": lambda s, x: torch.where(seven(x) > 0, seven(x), s.scale).flatten(1),
    "permuted in several steps": lambda s, x: seven(x).permute(6, 3, 0, 5, 1, 4, 2).flatten(1),
    "windows": lambda s, x: six(x).permute(0, 2, 4, 1, 3, 5).reshape(-1, 4, 5),
    "means": lambda s, x: seven(x).mean((2, 5)),
    "a mean over all": lambda s, x: six(x).mean() * x,
    "the largest": lambda s, x: seven(x).amax(3, keepdim=True).flatten(2),
    "where the largest is": lambda s, x: six(x).argmax(2) * 1.0,
    "a softmax": lambda s, x: seven(x).softmax(3).flatten(1),
    "parts of it": lambda s, x: seven(x)[:, :, 1:, :, ::2].flatten(1),
    "one of it": lambda s, x: seven(x).select(2, 1).flatten(1),
    "joined": lambda s, x: torch.cat([six(x), -six(x)[:, :, :1]], 2).flatten(1),
    "stacked": lambda s, x: torch.stack([x.view(2, 2, 6, 8, 5), x.view(2, 2, 6, 8, 5) + 1], 2).sum(2),
    "expanded": lambda s, x: x[:1, :1].view(1, 1, 1, 8, 1, 5).expand(2, 2, 3, 8, 2, 5).flatten(2),
    "a norm": lambda s, x: F.layer_norm(six(x), (8, 5)).flatten(1),
    "a product": lambda s, x: (six(x) @ six(x)[:, :1].mT).flatten(1),
    "looked up at every axis": lambda s, x: x[s.at, s.row, x.argmax(1)[:, :5, :3, None, None, None], -1].mean() + x[s.at, s.row, s.row, 2].flatten(1),
    "a linear": lambda s, x: F.linear(six(x), s.weight).flatten(1),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_no_value_of_many_axes_is_left(name: str) -> None:
    scale = torch.randn(2, 3, 1, 1, 2, 1)
    at, row = torch.arange(-4, 0).view(4, 1, 1, 1, 1, 1), torch.arange(6).view(1, 1, 1, 3, 1, 2)
    net = Call(NETS[name], scale=scale, number=torch.tensor(1), weight=torch.randn(3, 5), at=at, row=row)  # fmt: skip
    before = program_for(net, X)
    after, _ = run(before, (NameViews(), MergeReshapes(), LowerRank(), MergeReshapes()))
    left = {node.name: shape(node) for node in after.graph.nodes if node.op != "output" and len(shape(node)) > 5}  # fmt: skip
    assert not left


def test_what_has_no_form_says_so() -> None:
    net = Call(lambda s, x: torch.cumprod(six(x), 1).flatten(1) + six(x).cumsum(2).flatten(1))
    check_rewrite(LowerRank(), net, X, fires=1, refuses="`cumprod` has no form with fewer axes")


def test_axes_that_all_differ() -> None:
    net = Call(lambda s, x: (six(x) * s.even + s.odd).flatten(1), even=torch.randn(2, 1, 3, 1, 8, 1), odd=torch.randn(2, 1, 3, 1, 8, 1))  # fmt: skip
    check_rewrite(LowerRank(), net, X, refuses="it has 6 axes even")


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(7)), st.lists(st.integers(1, 3), min_size=7, max_size=7))
def test_any_permutation(turn: list[int], sizes: list[int]) -> None:
    net = Call(lambda s, x: (x.view(sizes).permute(turn) * 2).flatten())
    before = program_for(net, torch.randn(torch.Size(sizes).numel()))
    after, _ = run(before, (NameViews(), MergeReshapes(), LowerRank(), MergeReshapes()))
    assert all(len(shape(node)) < 6 for node in after.calls())


def test_permutes_have_four_axes() -> None:
    def heads(s: object, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(4, 48, 1, 5, 1).permute(2, 0, 3, 1, 4).reshape(20, 48)

    net = Call(heads)
    after = check_rewrite(LowerPermutes(), net, X, fires=1)
    after, _ = run(after, (MergeReshapes(),))
    assert max(len(shape(node)) for node in after.calls()) == 3
    assert len(list(after.calls())) == len(list(program_for(net, X).calls()))
    windows = Call(lambda s, x: six(x).permute(0, 2, 4, 1, 3, 5))
    check_rewrite(LowerPermutes(), windows, X, fires=0, refuses="stretches")
