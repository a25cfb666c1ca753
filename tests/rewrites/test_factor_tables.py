"""factor-tables multiplies by the tables that positions are picked from, and not by all that is picked."""

from __future__ import annotations

import torch
from torch import nn

from edgevit.rewrites.arithmetic.expand_einsum import ExpandEinsum
from edgevit.rewrites.attention.factor_tables import FactorTables
from edgevit.rewrites.engine import apply
from tests.rewrites.checking import Call, check_rewrite, kinds, program_for

RULE = FactorTables()
INDEX = torch.randint(0, 6, (5, 7))


def test_scores_are_picked_from_products_with_the_tables() -> None:
    net = Call(lambda s, x: x @ (s.a[INDEX] + s.b[INDEX.flip(0)]).transpose(2, 1), a=torch.randn(6, 8), b=torch.randn(6, 8))  # fmt: skip
    after = check_rewrite(RULE, net, torch.randn(5, 3, 8), fires=1)
    assert kinds(after).count("gather") == 2 and kinds(after).count("linear") == 1
    assert max(t.numel() for t in after.constants.values() if t.is_floating_point()) == 12 * 8


def test_shares_are_summed_by_table_row_before_the_product() -> None:
    net = Call(lambda s, x: torch.bmm(x, s.a[INDEX] + s.b[INDEX]), a=torch.randn(6, 8), b=torch.randn(9, 8))  # fmt: skip
    after = check_rewrite(RULE, net, torch.randn(5, 3, 7).softmax(-1), fires=1)
    assert kinds(after).count("scatter_add") == 2 and kinds(after).count("linear") == 1


def test_one_table_and_an_embedding_are_enough() -> None:
    net = Call(lambda s, x: x @ nn.functional.embedding(INDEX, s.a).permute(0, 2, 1), a=torch.randn(6, 8))  # fmt: skip
    check_rewrite(RULE, net, torch.randn(5, 3, 8), fires=1)


def test_declines_other_stacks_and_indices_that_are_computed() -> None:
    net = Call(lambda s, x: x @ s.a[INDEX].transpose(2, 1), a=torch.randn(6, 8))
    check_rewrite(RULE, net, torch.randn(1, 3, 8), fires=0, refuses="stacks of both sides")
    computed = Call(lambda s, x: x @ s.a[x[..., 0].long()].transpose(2, 1), a=torch.randn(6, 8))
    check_rewrite(RULE, computed, torch.ones(5, 3, 8), fires=0)
    scaled = Call(lambda s, x: x @ (s.a[INDEX] * x[0, 0]).transpose(2, 1), a=torch.randn(6, 8))
    check_rewrite(RULE, scaled, torch.randn(5, 3, 8), fires=0)


def test_the_products_of_an_einsum_are_found() -> None:
    """As Shaw's relative positions are mostly written."""
    net = Call(lambda s, q: torch.einsum("bhid,ijd->bhij", q, s.a[INDEX]), a=torch.randn(6, 8))
    program, _, _ = apply(ExpandEinsum(), program_for(net, torch.randn(1, 3, 5, 8)))
    program, fired, _ = apply(RULE, program)
    assert len(fired) == 1 and kinds(program).count("gather") == 1
    net = Call(lambda s, q: torch.einsum("bhij,ijd->bihd", q, s.a[INDEX]), a=torch.randn(6, 8))
    program, _, _ = apply(ExpandEinsum(), program_for(net, torch.randn(1, 3, 5, 7)))
    program, fired, _ = apply(RULE, program)
    assert len(fired) == 1 and kinds(program).count("scatter_add") == 1
