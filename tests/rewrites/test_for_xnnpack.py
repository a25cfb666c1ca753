"""The rules that keep XNNPACK and ExecuTorch's kernels from computing something else."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.graph.aten import kind
from edgevit.graph.program import shape
from edgevit.rewrites.arithmetic.expand_gelu import ExpandGelu
from edgevit.rewrites.arithmetic.expand_remainder import ExpandRemainder
from edgevit.rewrites.arithmetic.expand_vector_norm import ExpandVectorNorm
from edgevit.rewrites.attention.expand_attention import ExpandAttention
from edgevit.rewrites.layout.flatten_softmax import FlattenSoftmax
from edgevit.rewrites.pools_and_padding.crop_before_pad import CropBeforePad
from edgevit.rewrites.pools_and_padding.mean_in_steps import MeanInSteps
from tests.backends.runtimes.through import checked, source_of
from tests.rewrites.checking import Call, check_rewrite, kinds


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_four_axes_is_taken_on_three(name: str) -> None:
    net = Call(lambda s, x: getattr(x, name)(-1))
    after = check_rewrite(FlattenSoftmax(), net, torch.randn(2, 3, 4, 5), fires=1)
    (softmax,) = [node for node in after.calls() if kind(node) == name]
    assert shape(softmax) == (2, 12, 5)


def test_other_softmaxes_stay() -> None:
    check_rewrite(FlattenSoftmax(), nn.Softmax(1), torch.randn(2, 3, 4, 5), fires=0)
    check_rewrite(FlattenSoftmax(), nn.Softmax(-1), torch.randn(2, 3, 4), fires=0)


def test_gelu_by_tanh_is_spelled_out() -> None:
    after = check_rewrite(ExpandGelu(), nn.GELU("tanh"), torch.randn(2, 50) * 3, fires=1)
    assert "gelu" not in kinds(after)
    check_rewrite(ExpandGelu(), nn.GELU(), torch.randn(2, 5), fires=0)


@pytest.mark.parametrize("pads", [(1, -1), (-2, 0, 1, 1), (-1, -1, -2, -1), (0, 0, 0, 3, -1, 2)])
def test_negative_pads_are_crops(pads: tuple[int, ...]) -> None:
    net = Call(lambda s, x: nn.functional.pad(x, pads, value=0.5))
    after = check_rewrite(CropBeforePad(), net, torch.randn(2, 6, 7, 8), fires=1)
    assert kinds(after).count("pad") == int(max(pads) > 0)


def test_a_reflection_is_not_cropped() -> None:
    net = Call(lambda s, x: nn.functional.pad(x, (2, -1), mode="reflect"))
    check_rewrite(CropBeforePad(), net, torch.randn(2, 6, 7), refuses="reflected or repeated")


@pytest.mark.parametrize("axes", [1, (1, 2), None])
def test_lengths_are_spelled_out(axes: int | tuple[int, ...] | None) -> None:
    net = Call(lambda s, x: torch.linalg.vector_norm(x, dim=axes, keepdim=True))
    after = check_rewrite(ExpandVectorNorm(), net, torch.randn(2, 6, 7), fires=1)
    assert kinds(after) == ["mul", "sum", "sqrt"]


@pytest.mark.parametrize(("order", "reduced"), [(1, "sum"), (math.inf, "amax")])
@pytest.mark.parametrize("axes", [1, (0, 2), None])
def test_lengths_by_other_measures(order: float, reduced: str, axes: int | None) -> None:
    net = Call(lambda s, x: torch.linalg.vector_norm(x, order, dim=axes))
    after = check_rewrite(ExpandVectorNorm(), net, torch.randn(2, 6, 7), fires=1)
    assert kinds(after) == ["abs", reduced]


def test_other_norms_stay() -> None:
    net = Call(lambda s, x: torch.linalg.vector_norm(x, 3, dim=1))
    check_rewrite(ExpandVectorNorm(), net, torch.randn(2, 6, 7), fires=0)


@pytest.mark.parametrize("divisor", [3, -3, "tensor"])
def test_remainders_of_whole_numbers(divisor: int | str) -> None:
    by = {"n": torch.tensor([4, -4, 5])} if divisor == "tensor" else {}
    net = Call(lambda s, x: torch.remainder(x, s.n if by else divisor), **by)
    after = check_rewrite(ExpandRemainder(), net, torch.arange(-9, 9).reshape(6, 3), fires=1)
    assert "remainder" not in kinds(after)


def test_remainders_of_fractions_stay() -> None:
    net = Call(lambda s, x: torch.remainder(x, 0.3))
    check_rewrite(ExpandRemainder(), net, torch.randn(6, 3), fires=0)


ATTENTION = nn.functional.scaled_dot_product_attention


@settings(max_examples=20, deadline=None)
@given(
    lead=st.sampled_from([(), (2,), (2, 3), (1, 2, 3)]),
    length=st.integers(1, 5),
    keys=st.integers(1, 5),
    depth=st.integers(1, 4),
    mask=st.sampled_from(["", "whole", "shared", "heads", "bool"]),
    causal=st.booleans(),
    scale=st.sampled_from([None, 0.3]),
)
def test_attention_of_any_shape(
    lead: tuple[int, ...], length: int, keys: int, depth: int, mask: str, causal: bool, scale
) -> None:
    shapes = {
        "whole": (*lead, length, keys),
        "shared": (length, keys),
        "heads": (*lead[-1:], length, keys),
    }
    bias = {} if mask in {"", "bool"} else {"bias": torch.randn(shapes[mask])}
    if mask == "bool":
        bias = {"bias": (torch.rand(length, keys) > 0.5).index_fill(1, torch.tensor([0]), True)}
    if causal and bias:
        causal = False  # torch takes one of the two
    net = Call(
        lambda s, q, k, v: ATTENTION(
            q, k, v, attn_mask=s.bias if bias else None, is_causal=causal, scale=scale
        ),
        **bias,
    )
    q, k, v = (torch.randn(*lead, n, d) for n, d in ((length, 4), (keys, 4), (keys, depth)))
    after = check_rewrite(ExpandAttention(), net, q, k, v, fires=1)
    assert "scaled_dot_product_attention" not in kinds(after)
    assert {len(shape(node)) for node in after.calls() if kind(node) == "softmax"} == {3}


def test_attention_refuses_a_row_without_keys() -> None:
    mask = torch.zeros(4, 4)
    mask[2] = -math.inf
    net = Call(lambda s, x: ATTENTION(x, x, x, attn_mask=s.mask), mask=mask)
    check_rewrite(ExpandAttention(), net, torch.randn(2, 4, 8), refuses="leave a row with nothing")


def test_attention_refuses_a_computed_mask() -> None:
    net = Call(lambda s, x, m: ATTENTION(x, x, x, attn_mask=m))
    inputs = torch.randn(2, 4, 8), torch.zeros(4, 4)
    check_rewrite(ExpandAttention(), net, *inputs, refuses="may leave a row")


@pytest.mark.parametrize("keep", [True, False])
def test_a_mean_over_a_large_image_is_one_of_means(keep: bool) -> None:
    net = Call(lambda s, x: x.mean((2, 3), keepdim=keep) + x.mean((1, 2)).sum() + x.mean())
    after = check_rewrite(MeanInSteps(), net, torch.randn(1, 3, 56, 60), fires=1)
    (pool,) = [node for node in after.calls() if kind(node) == "avg_pool2d"]
    assert shape(pool) == (1, 3, 7, 10)


@pytest.mark.parametrize("size", [(32, 32), (37, 41)])
def test_a_mean_of_few_values_or_of_a_prime_number_stays(size: tuple[int, int]) -> None:
    check_rewrite(MeanInSteps(), nn.AdaptiveAvgPool2d(1), torch.randn(1, 2, *size), fires=0)


@pytest.mark.parametrize("format", ["executorch", "tflite"])
def test_the_mean_of_one_colour_is_exact(format: str, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.AdaptiveAvgPool2d(1))
    parity = checked(format, source_of(net, torch.full((1, 3, 112, 112), 0.37)), tmp_path)
    assert parity.distance.rel_l2 < 4e-6
