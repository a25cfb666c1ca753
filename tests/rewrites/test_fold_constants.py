"""fold-constants works out what does not depend on the input."""

from __future__ import annotations

import torch
from torch import nn

from edgevit.rewrites.arithmetic.fold_constants import FoldConstants
from tests.rewrites.checking import Call, check_rewrite, kinds

RULE = FoldConstants()


class Bias(nn.Module):
    """A relative position bias: gathered from a table, reshaped, split, all of it constant."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(9, 2))
        self.register_buffer("index", torch.randint(0, 9, (16,)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bias = self.table[self.index].view(4, 4, 2).permute(2, 0, 1)
        first, second = bias.unbind(0)
        return x + first - second


def test_folds_a_whole_chain_through_tuples() -> None:
    after = check_rewrite(RULE, Bias(), torch.randn(4, 4), fires=5)
    assert len(list(after.calls())) == 2


class Made(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.arange(4.0) + torch.ones(4, 4).tril()


def test_folds_tensors_made_from_nothing() -> None:
    after = check_rewrite(RULE, Made(), torch.randn(4, 4), fires=3)
    assert len(list(after.calls())) == 2


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.randn(1, 1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.row.expand(1000, 1000)


def test_declines_to_blow_a_constant_up() -> None:
    check_rewrite(
        RULE, Wide(), torch.randn(1000, 1000), fires=0, refuses="grow from 1,000 to 1,000,000"
    )


def test_what_an_index_picks_is_folded_whatever_it_grows_to() -> None:
    net = Call(lambda s, x: x + s.table[:, s.index], table=torch.randn(12, 9), index=torch.randint(0, 9, (100, 100)))  # fmt: skip
    after = check_rewrite(RULE, net, torch.randn(12, 100, 100), fires=1)
    assert kinds(after) == ["add"]
