"""multiply-reciprocal leaves no quotient of two computed values."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.rewrites.arithmetic.multiply_reciprocal import MultiplyReciprocal
from tests.rewrites.checking import Call, check_rewrite, kinds

RULE = MultiplyReciprocal()


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 5), columns=st.integers(1, 5), row=st.booleans())
def test_a_quotient_becomes_a_product(rows: int, columns: int, row: bool) -> None:
    net = Call(lambda _, x, y: x / (y.exp() + 0.1))
    after = check_rewrite(
        RULE, net, torch.randn(rows, columns), torch.randn(1 if row else rows, columns), fires=1
    )
    assert "div" not in kinds(after)


def test_leaves_quotients_by_numbers_and_constants() -> None:
    net = Call(lambda m, x: x / 3 + x / m.c, c=torch.rand(4) + 1)
    check_rewrite(RULE, net, torch.randn(2, 4), fires=0)


def test_refuses_integers() -> None:
    net = Call(lambda _, x: x.long() / (x.long() + 7))
    check_rewrite(RULE, net, torch.ones(2, 4), refuses="integers")
