"""Nets of papers: their sizes, as each paper states them, and the few parts that are not layers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from edgevit.errors import ModelError
from edgevit.frontend.resolve import resolve
from edgevit.frontend.zoo.litv2 import Deformable
from edgevit.frontend.zoo.lsnet import LargeSmall
from edgevit.frontend.zoo.mobilevig import RelativeMax
from edgevit.frontend.zoo.papers import PAPERS, Paper

SMALLEST = [(name, next(iter(paper.published))) for name, paper in PAPERS.items()]
ALL = [(name, size) for name, paper in PAPERS.items() for size in paper.published]


@pytest.mark.parametrize(("name", "size"), SMALLEST)
def test_a_net_has_the_published_parameters_and_products(name: str, size: str) -> None:
    _compare(PAPERS[name], size)


@pytest.mark.long
@pytest.mark.parametrize(("name", "size"), [pair for pair in ALL if pair not in SMALLEST])
def test_its_other_sizes_have_them_too(name: str, size: str) -> None:
    _compare(PAPERS[name], size)


def _compare(paper: Paper, size: str) -> None:
    parameters, products = paper.published[size]
    with torch.device("meta"):
        net = paper.build(paper.sizes[size], paper.image, 1000).eval()
        counted = _counted(net, torch.empty(1, 3, paper.image, paper.image), paper.counted)
    assert _is_printed(_parameters(net, paper.folded) / 1e6, parameters)
    assert not products or _is_printed(counted / 1e9, products)


def _is_printed(figure: float, printed: str) -> bool:
    """Whether a figure is within 1 % of a printed one, or within what its last digit leaves open."""
    open_by = 0.5 * 10.0 ** -len(printed.partition(".")[2])
    return abs(figure - float(printed)) <= max(open_by * (1 + 1e-9), 0.01 * float(printed))


def _parameters(net: nn.Module, folded: bool) -> int:
    of_norms = [module for module in net.modules() if folded and isinstance(module, nn.BatchNorm2d)]
    left_out = sum(one.numel() for norm in of_norms for one in norm.parameters())
    return sum(one.numel() for one in net.parameters()) - left_out


def _counted(net: nn.Module, image: torch.Tensor, how: str) -> float:
    norms: list[int] = []
    for module in net.modules():
        each = 4 if isinstance(module, nn.BatchNorm2d) else 5
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm):
            module.register_forward_hook(_note(norms, each))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(image)
    calls = counter.get_flop_counts()["Global"]
    attention = sum(n for call, n in calls.items() if "bmm" in str(call) or "attention" in str(call))  # fmt: skip
    products = counter.get_total_flops() / 2
    return {
        "products": products,
        "without attention": products - attention / 2,
        "with norms": products + sum(norms),
    }[how]


def _note(numbers: list[int], each: int) -> Callable[[Any, Any, torch.Tensor], None]:
    return lambda _, inputs, output: numbers.append(each * output.numel())


@pytest.mark.parametrize("name", PAPERS)
def test_a_net_of_a_paper_runs_at_a_small_size(name: str) -> None:
    paper = PAPERS[name]
    net = paper.build(next(iter(paper.sizes.values())), 64, 7).eval()
    with torch.no_grad():
        answer = net(torch.randn(2, 3, 64, 64))
    assert answer.shape == (2, 7)
    assert answer.isfinite().all()


def test_the_spec_of_a_paper_says_its_sizes_and_preprocessing() -> None:
    source = resolve("zoo:van-b0-c7", weights="random", input_size=64)
    assert source.inputs[0].shape == (1, 3, 64, 64)
    assert source.module(*source.inputs).shape == (1, 7)
    assert source.preprocess is not None
    assert source.preprocess.mean == (0.485, 0.456, 0.406)


def test_the_graph_of_mobilevig_joins_every_second_place_of_a_row_and_a_column() -> None:
    image = torch.zeros(1, 1, 6, 6)
    image[0, 0, 2, 3] = -1
    relative = RelativeMax()(image)[0, 1]
    places = {(row, 3) for row in (0, 4)} | {(2, column) for column in (1, 5)}
    assert {tuple(place) for place in relative.nonzero().tolist()} == places


def test_each_place_of_lsnet_has_a_kernel_of_its_own() -> None:
    torch.manual_seed(0)
    layer = LargeSmall(16).eval()
    image = torch.randn(1, 16, 5, 5)
    kernels = layer.weights(image)[0].reshape(2, 9, 5, 5)  # one for every eighth channel
    near = functional.pad(image[0], (1, 1, 1, 1))
    expected = torch.zeros(16, 5, 5)
    for c, dy, dx in itertools.product(range(16), range(3), range(3)):
        expected[c] += near[c, dy : dy + 5, dx : dx + 5] * kernels[c % 2, 3 * dy + dx]
    norm = math.sqrt(1 + layer.norm.eps)
    assert torch.allclose(layer(image)[0], expected / norm + image[0], atol=1e-5)


def test_patches_of_litv2_without_offsets_are_a_convolution() -> None:
    torch.manual_seed(0)
    layer = Deformable(4, 6, 8)
    for parameter in layer.offsets.parameters():
        nn.init.zeros_(parameter)
    image = torch.randn(2, 4, 8, 8)
    kernel = layer.out.weight.detach().reshape(6, 2, 2, 4).permute(0, 3, 1, 2)
    assert torch.allclose(layer(image), functional.conv2d(image, kernel, layer.out.bias, 2), atol=1e-5)  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        ("zoo:van-b9", "no size of van", "zoo:van-b0"),
        ("zoo:mobilevig", "no size of mobilevig", "zoo:mobilevig-ti"),
        ("zoo:casvit-xs-i80", "80 pixels are no multiple of 32", "--input-size 64"),
        ("zoo:casvit-xs-d80", "no size of a casvit-xs", "iN image, cN classes"),
        ("zoo:hornett-t", "no family `hornett`", "hornet-t"),
    ],
)
def test_what_the_zoo_has_not_is_said(spec: str, message: str, hint: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        resolve(spec)
    assert hint in str(caught.value.hint)
