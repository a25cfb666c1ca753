"""Choices by a mask, as products with zeros and ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from edgevit.graph.aten import kind
from edgevit.rewrites.arithmetic.multiply_masks import MultiplyMasks
from tests.rewrites.checking import Call, check_rewrite

X = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))
TRIANGLE = torch.ones(4, 4, dtype=torch.bool).tril()
HIDDEN = ~TRIANGLE
CASES: dict[str, Callable[..., torch.Tensor]] = {
    "another value decides": lambda s, x: torch.where(x.mean(2, keepdim=True) > 0, x, -x),
    "a number else": lambda s, x: torch.where(x[:, :1] > 0, x, 0.0),
    "a number first": lambda s, x: torch.where(x[:, :1] > 0, 3.0, x),
    "fill": lambda s, x: x.masked_fill((x[:, :1] > 0) & (x[:, 1:2] < 0), 0.5),
    "mask times value": lambda s, x: (x.amax(1, keepdim=True) > 1) * x,
    "hidden from a softmax": lambda s, x: (x @ x.mT).masked_fill(HIDDEN, -torch.inf).softmax(-1),
    "constant mask, infinity else": lambda s, x: torch.where(
        TRIANGLE, x @ x.mT, -torch.inf
    ).softmax(-1),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_numbers(name: str) -> None:
    after = check_rewrite(MultiplyMasks(), Call(CASES[name]), X, fires=1)
    assert not {"where", "masked_fill"} & {kind(node) for node in after.calls()}


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda s, x: torch.where(x > 0, x, 0.1 * x), "one value"),
        (lambda s, x: torch.where((x > 0) & (x < 1), x * x, x.abs()), "one value"),
        (lambda s, x: torch.where(x[:, :1] > 0, x, torch.inf), "infinity"),
    ],
)
def test_others_stay(function: Callable[..., torch.Tensor], why: str) -> None:
    check_rewrite(MultiplyMasks(), Call(function), X, refuses=why)
