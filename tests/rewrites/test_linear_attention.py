"""Quotients of linear attention: queries and heads of like size, and a divisor that is a product of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from edgevit.rewrites import engine
from edgevit.rewrites.attention.normalise_queries import NormaliseQueries
from edgevit.rewrites.attention.slice_product import SliceProduct
from tests.rewrites.checking import Call, check_rewrite, kinds, program_for

QUERIES, KEYS, VALUES = (torch.randn(2, 9, 4) for _ in range(3))
SHORT = QUERIES * 10.0 ** torch.linspace(-1, 1, 9)[:, None]


def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, eps: float) -> torch.Tensor:
    """As MIT's EfficientViT has it."""
    q, k, v = q.relu() + 0.1, k.relu(), functional.pad(v, (0, 1), value=1.0)
    p = (q @ (k.transpose(-1, -2) @ v)).unsqueeze(0)
    return p[..., :-1] / (p[..., -1:] + eps)


def test_queries_and_heads_get_one_length() -> None:
    net = Call(lambda _, q, k, v: linear_attention(q, k, v, 1e-5))
    after = check_rewrite(NormaliseQueries(), net, SHORT, KEYS, VALUES, fires=1)
    assert kinds(after).count("rms_norm") == 2


def test_a_short_query_s_result_stays() -> None:
    """No other query's size is in it."""
    net = Call(lambda _, q, k, v: linear_attention(q, k, v, 0.0))
    check_rewrite(NormaliseQueries(), net, 1e-3 * QUERIES, KEYS, VALUES, fires=1)


def test_a_large_number_beside_the_divisor_is_no_quotient_of_lengths() -> None:
    net = Call(lambda _, q, k, v: linear_attention(q, k, v, 1.0))
    check_rewrite(NormaliseQueries(), net, QUERIES, KEYS, VALUES, refuses="no small number")


READS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "a part that is not divided": lambda p, o: p[..., :-1] / p[..., -1:] + p[..., 1:],
    "a divisor of its own": lambda p, o: p[..., :-1] / o[..., -1:] + o[..., 1:] / p[..., 1:],
    "a number in the dividend": lambda p, o: (p[..., :-1] + 1e-4) / p[..., -1:],
    "a function of the divisor": lambda p, o: p[..., :-1] / p[..., -1:].exp(),
    "whole numbers": lambda p, o: torch.div(p[..., :-1], p[..., -1:], rounding_mode="floor"),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_what_shows_the_length_stays(
    read: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    net = Call(lambda _, q, k: read(q @ k, k @ q))
    check_rewrite(NormaliseQueries(), net, QUERIES[:, :4], KEYS[:, :4])


def test_parts_of_a_product_are_products() -> None:
    """Through both products; a column of ones is a sum."""
    net = Call(lambda _, q, k, v: linear_attention(q, k, v, 1e-5))
    after = check_rewrite(SliceProduct(), net, QUERIES, KEYS, VALUES, fires=4)
    assert kinds(after).count("matmul") == 3 and kinds(after).count("sum") == 1
    assert "slice" not in kinds(after)


def test_parts_beside_the_whole_stay() -> None:
    net = Call(lambda _, q, k: (q @ k)[..., :2] + (q @ k).mean())
    check_rewrite(SliceProduct(), net, QUERIES[:, :4], KEYS[:, :4], fires=1)
    net = Call(lambda _, q, k: (p := q @ k)[..., :2] + p.mean())
    check_rewrite(SliceProduct(), net, QUERIES[:, :4], KEYS[:, :4])


def test_slices_of_rows_and_weights_stay() -> None:
    net = Call(lambda m, q: (q @ m.w)[..., :1, :] + (q @ m.w)[..., 0:1], w=torch.randn(4, 1))
    check_rewrite(SliceProduct(), net, QUERIES)
    net = Call(lambda _, q, k: (q @ k)[..., ::2])
    check_rewrite(SliceProduct(), net, QUERIES[:, :4], KEYS[:, :4])


def test_a_number_that_shows_beside_the_divisor_leaves_the_rule_out() -> None:
    net = Call(lambda _, q, k, v: linear_attention(q, k, v, 1e-5))
    shown = program_for(net, 1e-3 * QUERIES - 0.1, 1e-3 * KEYS, VALUES)
    program, report = engine.run(shown, (NormaliseQueries(),))
    assert "rms_norm" not in kinds(program) and not report.rules[0].fired
    assert "is small beside it" in report.rules[0].refused[0].why
