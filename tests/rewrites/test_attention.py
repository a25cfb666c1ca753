"""Attention as it is written by hand, and einsums."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from edgevit.graph.aten import argument, kind
from edgevit.graph.parity import distance
from edgevit.graph.program import shape
from edgevit.rewrites.arithmetic.expand_einsum import ExpandEinsum
from edgevit.rewrites.attention.expand_attention import ExpandAttention
from edgevit.rewrites.attention.flatten_attention import FlattenAttention
from edgevit.rewrites.attention.guard_attention import GuardAttention
from edgevit.rewrites.attention.restore_attention import RestoreAttention
from edgevit.rewrites.engine import apply
from tests.rewrites.checking import Call, check_rewrite, kinds

Q, K, V = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 6, 4), torch.randn(2, 3, 6, 7)
BIAS = torch.randn(3, 5, 6)
WRITTEN = {
    "scaled": lambda s, q, k, v: (q @ k.transpose(-2, -1) * 0.5).softmax(-1) @ v,
    "divided": lambda s, q, k, v: (q @ k.mT / math.sqrt(4)).softmax(dim=3) @ v,
    "plain": lambda s, q, k, v: (q * 0.1 @ k.permute(0, 1, 3, 2)).softmax(-1) @ v,
    "biased": lambda s, q, k, v: (q @ k.transpose(-2, -1) * 0.5 + s.bias).softmax(-1) @ v,
    "biased_twice": lambda s, q, k, v: (s.bias + (q @ k.mT + s.bias * 2)).softmax(-1) @ v,
    "keys_by_column": lambda s, q, k, v: (q @ k.reshape(2, 3, 4, 6)).softmax(-1) @ v,
    "by_columns": lambda s, q, k, v: v.mT @ (q @ k.mT * 0.5).softmax(-1).transpose(-2, -1),
    "three_axes": lambda s, q, k, v: torch.bmm((q[0] @ k[0].mT).softmax(-1), v[0]),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_attention_is_known_however_it_is_written(name: str) -> None:
    after = check_rewrite(RestoreAttention(), Call(WRITTEN[name], bias=BIAS), Q, K, V, fires=1)
    assert "scaled_dot_product_attention" in kinds(after)
    assert "softmax" not in kinds(after)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda s, q, k, v: (w := (q @ k.mT).softmax(-1)) @ v + w.sum(), "read by others"),
        (lambda s, q, k, v: (q @ k[:1].mT).softmax(-1) @ v, "other batches"),
        (lambda s, q, k, v: (q @ k.mT).softmax(-1, dtype=torch.float64).float() @ v, ""),
        (lambda s, q, k, v: (q @ k.mT).softmax(-2) @ v, ""),
        (lambda s, q, k, v: (q @ k.mT).relu().softmax(-1) @ v, ""),
    ],
)
def test_what_is_no_attention_stays(function, why: str) -> None:
    check_rewrite(RestoreAttention(), Call(function), Q, K, V, refuses=why)


CLOSED = torch.zeros(5, 6).index_fill(0, torch.tensor(2), -math.inf)


@pytest.mark.parametrize(
    "function",
    [
        lambda s, q, k, v: (q @ k.mT + torch.where(q[..., :1] > 0, 0.0, -math.inf)).softmax(-1) @ v,
        lambda s, q, k, v: (q @ k.mT + s.closed).softmax(-1) @ v,
        lambda s, q, k, v: (q @ k.mT + q[..., :1].log()).softmax(-1) @ v,
    ],
)
def test_a_row_that_may_close_stays_as_it_is_written(function) -> None:
    """NaN by hand, zeros in an attention."""
    check_rewrite(RestoreAttention(), Call(function, closed=CLOSED), Q.abs(), K, V, refuses="may leave a row")  # fmt: skip


def test_a_computed_bias_of_finite_numbers_is_part_of_the_attention() -> None:
    net = Call(lambda s, q, k, v: (q @ k.mT + (q[..., :1] * 3).sigmoid() * s.bias).softmax(-1) @ v, bias=BIAS)  # fmt: skip
    check_rewrite(RestoreAttention(), net, Q, K, V, fires=1)


@pytest.mark.parametrize(
    "mask",
    [
        lambda s, q: q[..., :1] > 0,
        lambda s, q: torch.where(q[..., :1] > 0, 0.0, -math.inf),
        lambda s, q: s.closed,
        lambda s, q: s.closed == 0,
    ],
)
def test_a_query_that_may_see_nothing_is_guarded(mask) -> None:
    net = Call(
        lambda s, q, k, v: nn.functional.scaled_dot_product_attention(q, k, v, mask(s, q)),
        closed=CLOSED,
    )
    after = check_rewrite(GuardAttention(), net, Q, K, V, fires=1)
    expanded, fired, _ = apply(ExpandAttention(), after)
    assert fired and "scaled_dot_product_attention" not in kinds(expanded)
    assert distance(after.run(), expanded.run()).rel_l2 <= 1e-5


@pytest.mark.parametrize("mask", [lambda s, q: s.bias, lambda s, q: q[..., :1].tanh() * s.bias])
def test_a_mask_that_closes_no_row_needs_no_guard(mask) -> None:
    net = Call(
        lambda s, q, k, v: nn.functional.scaled_dot_product_attention(q, k, v, mask(s, q)),
        bias=BIAS,
    )
    check_rewrite(GuardAttention(), net, Q, K, V, fires=0)
    check_rewrite(ExpandAttention(), net, Q, K, V, fires=1)


def test_talking_heads_are_two_products() -> None:
    """A convolution between the softmax and the values mixes heads: no attention op does."""
    net = Call(lambda s, q, k, v: nn.functional.conv2d((q @ k.mT).softmax(-1), s.mix) @ v, mix=torch.randn(3, 3, 1, 1))  # fmt: skip
    check_rewrite(RestoreAttention(), net, Q, K, V, fires=0)


def test_the_scale_reaches_the_op() -> None:
    after = check_rewrite(RestoreAttention(), Call(WRITTEN["scaled"]), Q, K, V, fires=1)
    (node,) = [node for node in after.calls() if "attention" in kind(node)]
    assert argument(node, "scale") == 0.5


@pytest.mark.parametrize(
    "equation",
    ["bhqd,bhkd->bhqk", "bhqk,bhkd->bqhd", "bhqd,bhkd", "bhqd,bjqd->bhj", "bhqd,bhkd->bq", "bhqd,bxyz->bhqdxyz"],
)  # fmt: skip
def test_einsums_of_two(equation: str) -> None:
    second = Q if "jq" in equation else V.permute(0, 1, 2, 3)[..., :4] if "qd,bh" in equation else V
    first = torch.randn(2, 3, 5, 6) if equation.startswith("bhqk") else Q
    net = Call(lambda s, x, y: torch.einsum(equation, x, y))
    after = check_rewrite(ExpandEinsum(), net, first, second, fires=1)
    assert "einsum" not in kinds(after)


@pytest.mark.parametrize(
    "equation", ["bhqd,bhkd,bhkq->bkdh", "...qd,...kd->...kq", "...d,kd,...k", "ax,by,cz->abcxyz"]
)
def test_einsums_of_three_and_of_any_rank(equation: str) -> None:
    sizes = dict(zip("bhqkdabcxyz", [2, 3, 4, 5, 6, 2, 2, 2, 3, 3, 3], strict=True))
    terms = equation.partition("->")[0].replace("...", "bh").split(",")
    operands = [torch.randn([sizes[c] for c in term]) for term in terms]
    net = Call(lambda s, *x: torch.einsum(equation, *x))
    after = check_rewrite(ExpandEinsum(), net, *operands, fires=1)
    assert "einsum" not in kinds(after)


@pytest.mark.parametrize("equation", ["bhqd->bqhd", "bhqd->bd", "bhqd->hb"])
def test_einsums_of_one(equation: str) -> None:
    net = Call(lambda s, x: torch.einsum(equation, x) * 2)
    check_rewrite(ExpandEinsum(), net, Q, fires=1)


@pytest.mark.parametrize("equation", ["bhqd,bhkd,bhk->bhqk", "bhqd,bhd,bhq->bhd", "bhqd,bhqd,hd->qb", "bq,bk,bd->bqkd"])  # fmt: skip
def test_einsums_of_three(equation: str) -> None:
    sizes = {"b": 2, "h": 3, "q": 4, "k": 5, "d": 6}
    terms = equation.partition("->")[0].split(",")
    operands = [torch.randn([sizes[c] for c in term]) for term in terms]
    net = Call(lambda s, x, y, z: torch.einsum(equation, x, y, z))
    after = check_rewrite(ExpandEinsum(), net, *operands, fires=1)
    assert "einsum" not in kinds(after)


@settings(max_examples=30, deadline=None)
@given(
    st.permutations("abcd"),
    st.permutations("abcd"),
    st.integers(1, 4),
    st.integers(1, 4),
    st.data(),
)
def test_any_einsum_of_two(
    first: list[str], second: list[str], one: int, two: int, data: st.DataObject
) -> None:
    sizes = {"a": 2, "b": 3, "c": 4, "d": 5}
    terms = "".join(first[:one]), "".join(second[:two])
    result = "".join(data.draw(st.permutations(sorted(set("".join(terms))))))
    result = result[: data.draw(st.integers(0, len(result)))]
    operands = [torch.randn([sizes[c] for c in term]) for term in terms]
    equation = f"{terms[0]},{terms[1]}->{result}"
    net = Call(lambda s, x, y: torch.einsum(equation, x, y))
    check_rewrite(ExpandEinsum(), net, *operands, fires=1)


def test_an_einsum_of_a_diagonal_stays() -> None:
    net = Call(lambda s, x: torch.einsum("bhqq,bhqd->bqd", x, x))
    check_rewrite(ExpandEinsum(), net, torch.randn(2, 3, 4, 4), refuses="diagonal")


STACKED: dict[str, Callable[..., torch.Tensor]] = {
    "five axes": lambda s, q: F.scaled_dot_product_attention(q, q * 0.5, q.flip(-1)),
    "one key for several": lambda s, q: F.scaled_dot_product_attention(q, q[:, :1], q[:, :1, :1]),
    "a mask for each head": lambda s, q: F.scaled_dot_product_attention(q, q, q, s.heads),
    "a mask for all": lambda s, q: F.scaled_dot_product_attention(q, q, q, s.heads[0] > 0),
    "causal, scaled": lambda s, q: F.scaled_dot_product_attention(q, q, q, is_causal=True, scale=2),
    "two axes": lambda s, q: F.scaled_dot_product_attention(q[0, 0, 0], q[1, 1, 1], q[0, 1, 2]),
    "three axes": lambda s, q: F.scaled_dot_product_attention(q[0, 0], q[1, 1], q[0, 1], s.heads),
}


@pytest.mark.parametrize("name", STACKED)
def test_attention_of_any_rank_has_four_axes(name: str) -> None:
    heads = torch.randn(3, 5, 5)
    heads[..., 0] = 1.0
    net = Call(STACKED[name], heads=heads)
    after = check_rewrite(FlattenAttention(), net, torch.randn(2, 4, 3, 5, 6), fires=1)
    (node,) = [node for node in after.calls() if "attention" in kind(node)]
    assert len(shape(node)) == 4


def test_attention_of_four_axes_stays() -> None:
    net = Call(lambda s, q, k, v: F.scaled_dot_product_attention(q, k, v))
    check_rewrite(FlattenAttention(), net, Q, K, V, fires=0)
