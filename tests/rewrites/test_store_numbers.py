"""store-numbers leaves no number among the operands of sums and products."""

from __future__ import annotations

import torch

from edgevit.graph.aten import op
from edgevit.rewrites.arithmetic.store_numbers import StoreNumbers
from tests.rewrites.checking import Call, check_rewrite

RULE = StoreNumbers()
X = torch.randn(2, 4)


def test_numbers_become_constants_of_one_element() -> None:
    net = Call(lambda _, x: 3 - (x + 1e-5) * 2.5 / 8 - 1)
    after = check_rewrite(RULE, net, X, fires=5)
    names = [op(node) for node in after.calls()]
    assert "div.Tensor" not in names and not any(name.startswith("rsub") for name in names)
    for node in after.calls():
        if op(node).split(".")[0] in {"add", "sub", "mul"}:
            assert len(node.all_input_nodes) == 2


def test_leaves_what_has_no_number() -> None:
    check_rewrite(RULE, Call(lambda m, x: x * m.c + x, c=torch.rand(4)), X, fires=0)


def test_refuses_factors_quotients_that_are_rounded_and_integers() -> None:
    check_rewrite(RULE, Call(lambda _, x: torch.add(x, 2.0, alpha=3)), X, refuses="factor")
    floor = Call(lambda _, x: torch.div(x, 2.0, rounding_mode="floor"))
    check_rewrite(RULE, floor, X, refuses="rounded")
    check_rewrite(RULE, Call(lambda _, x: x.long() + 3), X, refuses="float32")
