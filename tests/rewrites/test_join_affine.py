"""join-affine makes one pass of factors and terms that follow each other."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.rewrites.norms.join_affine import JoinAffine
from tests.rewrites.checking import Call, check_rewrite, kinds

RULE = JoinAffine()
IMAGE = torch.randn(1, 3, 6, 6)


def levels(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers).view(1, -1, 1, 1)


STEPS = {
    "times": lambda m, x: x * m.c,
    "over": lambda m, x: x / m.d,
    "plus": lambda m, x: m.c + x,
    "minus": lambda m, x: torch.sub(x, m.c, alpha=2),
    "from": lambda m, x: m.c - x,
    "norm": lambda m, x: m.norm(x),
    "number": lambda m, x: x * 0.25 - 1,
}


@settings(max_examples=25, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(STEPS)), min_size=2, max_size=4), seed=st.integers(0, 99)
)
def test_a_chain_is_one_batch_norm(names: list[str], seed: int) -> None:
    torch.manual_seed(seed)
    norm = nn.BatchNorm2d(3)
    norm.running_mean, norm.running_var = torch.randn(3), torch.rand(3) + 0.5
    names = ["times", *names]

    def forward(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        for name in names:
            x = STEPS[name](m, x)
        return x.relu()

    net = Call(forward, c=levels(0.5, 1.5, -2), d=levels(2, 0.5, 4))
    net.norm = norm
    assert kinds(check_rewrite(RULE, net, IMAGE, fires=1)) == ["batch_norm", "relu"]


def test_a_value_that_others_read_ends_a_chain() -> None:
    def forward(m: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = x * m.c + 1
        return (y * m.c - 2).relu(), y.relu()

    after = check_rewrite(RULE, Call(forward, c=levels(1, 2, 3)), IMAGE, fires=2)
    assert kinds(after) == ["batch_norm", "batch_norm", "relu", "relu"]


def test_leaves_tables_and_single_calls() -> None:
    alike = Call(lambda _, x: x * 0.5 + 1)
    check_rewrite(RULE, alike, IMAGE, fires=0)
    single = Call(lambda m, x: (x * m.c).relu() + m.c, c=levels(1, 2, 3))
    check_rewrite(RULE, single, IMAGE, fires=0)


def test_leaves_factors_a_column_and_tokens() -> None:
    columns = Call(lambda m, x: x * m.c + m.c, c=torch.rand(6))
    check_rewrite(RULE, columns, IMAGE, fires=0)
    check_rewrite(RULE, columns, torch.randn(2, 5, 6), fires=0)
