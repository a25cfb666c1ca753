"""Nets of our own, by their sizes."""

from __future__ import annotations

import pytest
import torch

from edgevit.errors import ModelError
from edgevit.frontend.resolve import resolve


@pytest.mark.parametrize(
    ("spec", "linears", "tokens"),
    [("zoo:vit-i32-p8-d24-h2-l1", 5, 16), ("zoo:vit-i32-p4-d24-h3-l1-r4", 9, 64)],
)
def test_a_vit_of_given_sizes(spec: str, linears: int, tokens: int) -> None:
    source = resolve(spec)
    found = [m for m in source.module.modules() if isinstance(m, torch.nn.Linear)]
    assert len(found) == linears  # two for one where a rank makes them thinner
    assert source.module.get_parameter("positions").shape == (1, tokens, 24)
    assert source.module(*source.inputs).shape == (1, 10)


def test_the_input_size_can_be_said_apart() -> None:
    assert resolve("zoo:hybrid-d16-l1-c7", input_size=48).inputs[0].shape == (1, 3, 48, 48)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("zoo:vits-i32", "no family"),
        ("zoo:vit-i30-p8", "whole number of patches"),
        ("zoo:vit-d16-h3", "shared evenly"),
        ("zoo:vit-q8", "no size of a vit"),
        ("zoo:vit-l0", "at least 1"),
        ("zoo:hybrid-d12", "multiple of 8"),
    ],
)
def test_what_cannot_be_built_is_said_beforehand(spec: str, why: str) -> None:
    with pytest.raises(ModelError, match=why):
        resolve(spec)
