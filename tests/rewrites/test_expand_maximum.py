"""expand-maximum leaves functions of one value, and sums."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.rewrites.arithmetic.expand_maximum import ExpandMaximum
from tests.rewrites.checking import Call, check_rewrite, kinds

RULE = ExpandMaximum()


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 5), columns=st.integers(1, 5), row=st.booleans())
def test_the_larger_and_the_smaller_of_two_values(rows: int, columns: int, row: bool) -> None:
    net = Call(lambda _, x, y: torch.maximum(x, y) + torch.minimum(y, x).exp())
    inputs = torch.randn(rows, columns), torch.randn(1 if row else rows, columns)
    after = check_rewrite(RULE, net, *inputs, fires=2)
    assert not {"maximum", "minimum"} & set(kinds(after))


@pytest.mark.parametrize("function", [torch.maximum, torch.minimum])
def test_one_number_everywhere_is_a_bound(function: torch.types.Any) -> None:
    net = Call(lambda m, x: function(m.c, function(x, m.c)), c=torch.full((3, 4), 0.25))
    after = check_rewrite(RULE, net, torch.randn(2, 3, 4), fires=2)
    assert kinds(after) == ["clamp", "clamp"]


def test_a_constant_that_widens_the_value_is_a_term() -> None:
    net = Call(lambda m, x: torch.maximum(x, m.c), c=torch.zeros(3, 4))
    after = check_rewrite(RULE, net, torch.randn(4), fires=1)
    assert kinds(after) == ["sub", "relu", "add"]


def test_refuses_integers() -> None:
    net = Call(lambda _, x: torch.maximum(x.long(), x.long() + 1))
    check_rewrite(RULE, net, torch.ones(2, 4), refuses="integers")
