"""drop-expand and name-expand leave no expansion that its reader makes by itself."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.rewrites.engine import apply
from edgevit.rewrites.layout.drop_expand import DropExpand
from edgevit.rewrites.layout.name_expand import NameExpand
from tests.rewrites.checking import check_rewrite, program_for

X = torch.randn(2, 3, 4, 5)


class Call(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


def names(program) -> list[str]:
    return [str(node.target).removeprefix("aten.") for node in program.calls()]


def test_linear_attention_of_mobile_nets() -> None:
    net = Call(lambda x: torch.relu(x) * x.sum(-1, keepdim=True).expand(2, 3, 4, 5))
    after = check_rewrite(DropExpand(), net, X, fires=1)
    assert names(after) == ["relu.default", "sum.dim_IntList", "mul.Tensor"]


def test_both_sides_and_comparisons() -> None:
    net = Call(lambda x, y: torch.where(x > y.expand(2, 3, 4, 5), x, y.expand(2, 3, 4, 5)))
    after = check_rewrite(DropExpand(), net, X, torch.randn(3, 1, 5), fires=2)
    assert not any("expand" in name for name in names(after))


def test_an_expansion_that_gives_the_result_its_shape_stays() -> None:
    net = Call(lambda x: x.expand(2, 3, 4, 5) * 2)
    check_rewrite(DropExpand(), net, torch.randn(1, 3, 4, 1), fires=0)


def test_a_tensor_without_axes_stays_expanded() -> None:
    # As a scalar tensor it would not make the sum a float64.
    net = Call(lambda x, y: x + y.expand(2, 3, 4, 5))
    check_rewrite(DropExpand(), net, X, torch.tensor(1.5, dtype=torch.float64), fires=0)


def test_other_readers_keep_theirs() -> None:
    net = Call(lambda x: torch.cat([x.mean(1, keepdim=True).expand(2, 3, 4, 5), x], 1))
    check_rewrite(DropExpand(), net, X, fires=0)


@settings(max_examples=30, deadline=None)
@given(
    kept=st.tuples(*[st.booleans()] * 4),
    other=st.tuples(*[st.booleans()] * 4),
    op=st.sampled_from([torch.add, torch.mul, torch.maximum, torch.lt]),
)
def test_any_axes(kept: tuple[bool, ...], other: tuple[bool, ...], op) -> None:
    full = (2, 3, 4, 5)
    small = [extent if keep else 1 for extent, keep in zip(full, kept, strict=True)]
    beside = [extent if keep else 1 for extent, keep in zip(full, other, strict=True)]
    whole = all(a or b for a, b in zip(kept, other, strict=True))
    net = Call(lambda x, y: op(x, y.expand(full)))
    check_rewrite(DropExpand(), net, torch.randn(beside), torch.randn(small), fires=int(whole))


def test_neutral_numbers_are_an_expansion() -> None:
    small = torch.randn(2, 3, 1, 5)
    ones, zeros = torch.ones(2, 3, 4, 5), torch.zeros(4, 1)
    for function in (
        lambda x: x * ones,
        lambda x: ones * x,
        lambda x: x / ones,
        lambda x: x + zeros,
        lambda x: zeros + x,
        lambda x: x - zeros,
        lambda x: torch.where(ones > 0, x, x.mean()),
        lambda x: torch.where(ones < 0, x.mean(), x),
    ):
        program = program_for(Call(function), small)
        constant = apply_folding(program)
        after, fired, _ = apply(NameExpand(), constant)
        assert len(fired) == 1, names(after)
        assert "expand.default" in names(after)
        assert torch.equal(after.run()[0], program.run()[0])


def apply_folding(program):
    from edgevit.rewrites.arithmetic.fold_constants import FoldConstants

    return apply(FoldConstants(), program)[0]


def test_what_changes_a_number_or_no_shape_is_no_expansion() -> None:
    nearly = torch.ones(2, 3, 4, 5)
    nearly[0, 0, 0, 0] = 2
    check_rewrite(NameExpand(), Call(lambda x: x * nearly), torch.randn(2, 3, 1, 5), fires=0)
    check_rewrite(NameExpand(), Call(lambda x: x * torch.ones(5)), X, fires=0)
    check_rewrite(NameExpand(), Call(lambda x: torch.ones(2, 3, 4, 5) - x), X[:, :, :1], fires=0)
    # An int times a float one is a float.
    whole = torch.arange(5)
    check_rewrite(NameExpand(), Call(lambda x: x * torch.ones(4, 5)), whole, fires=0)
