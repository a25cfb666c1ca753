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


@pytest.mark.parametrize(
    ("spec", "parameters", "classes"),
    [("kws", 24_908, 12), ("ad", 269_992, 640), ("resnet8", 78_666, 10), ("vww", 221_794, 2)],
)
def test_the_nets_of_mlperf_tiny_have_the_published_sizes(
    spec: str, parameters: int, classes: int
) -> None:
    source = resolve(f"zoo:{spec}")
    counted = (*source.module.parameters(), *source.module.buffers())  # as Keras counts them
    assert sum(one.numel() for one in counted if one.is_floating_point()) == parameters
    assert source.module(*source.inputs).shape == (1, classes)


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
        ("zoo:kws-i64", "no size of a kws"),
    ],
)
def test_what_cannot_be_built_is_said_beforehand(spec: str, why: str) -> None:
    with pytest.raises(ModelError, match=why):
        resolve(spec)


def test_a_net_without_an_image_takes_no_size() -> None:
    with pytest.raises(ModelError, match="one size of input"):
        resolve("zoo:kws", input_size=64)
