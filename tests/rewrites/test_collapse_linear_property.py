"""Random linear regions: collapse-linear leaves what they compute as it was, never dearer, and comes to an end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from edgevit.graph.cost import stats
from edgevit.graph.parity import distance
from edgevit.graph.text import graph_text
from edgevit.rewrites.convolutions.collapse_linear import CollapseLinear
from edgevit.rewrites.engine import apply
from tests.rewrites.checking import program_for

RULE = CollapseLinear()
EXACT = 1e-6  # in float64, of kernels that were rounded once to float32
Draw = Callable[..., object]


class Then(nn.Module):
    """A function of one value."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class Affine(nn.Module):
    """`x * scale + shift`, a number a channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(channels, 1, 1))
        self.shift = nn.Parameter(torch.randn(1, channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale + self.shift


class Sum(nn.Module):
    """Branches added or subtracted; one that comes out at another size is left out."""

    def __init__(self, signs: list[int], branches: list[nn.Module]) -> None:
        super().__init__()
        self.signs, self.branches = signs, nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = self.branches[0](x)
        for sign, branch in zip(self.signs, self.branches[1:], strict=True):
            y = branch(x)
            if y.shape == total.shape:
                total = torch.add(total, y, alpha=sign) if sign > 0 else total - y
        return total


@dataclass(frozen=True)
class Kind:
    """What the layers of one region share, so that branches often end at one size."""

    channels: int
    stride: int


@st.composite
def convolutions(draw: Draw, kind: Kind) -> nn.Module:
    c = kind.channels
    kernel = (draw(st.sampled_from([1, 2, 3, 5])), draw(st.sampled_from([1, 3, 3, 4])))
    dilation = (draw(st.sampled_from([1, 1, 2])), draw(st.sampled_from([1, 1, 3])))
    whole = draw(
        st.sampled_from([True, True, False])
    )  # padding that keeps the size of an odd kernel
    padding = tuple(
        k // 2 * d if whole else draw(st.integers(0, 2))
        for k, d in zip(kernel, dilation, strict=True)
    )
    groups = draw(st.sampled_from([1, 2, c]))
    bias = draw(st.sampled_from([False, False, True]))
    return nn.Conv2d(c, c, kernel, kind.stride, padding, dilation, groups, bias)


@st.composite
def average_pools(draw: Draw, kind: Kind) -> nn.Module:
    window = draw(st.sampled_from([1, 2, 3]))
    return nn.AvgPool2d(
        window,
        kind.stride,
        draw(st.integers(0, window // 2)),
        ceil_mode=draw(st.booleans()),
        count_include_pad=draw(st.booleans()),
        divisor_override=draw(st.sampled_from([None, None, 5])),
    )


@st.composite
def pads(draw: Draw) -> nn.Module:
    amounts = tuple(draw(st.integers(-1, 2)) for _ in range(4))
    value = draw(st.sampled_from([0.0, 0.0, 1.5]))
    mode = draw(st.sampled_from(["constant", "constant", "reflect"]))
    if mode == "reflect":
        return Then(lambda x: F.pad(x, [abs(n) for n in amounts], mode="reflect"))
    return Then(lambda x: F.pad(x, amounts, value=value))


@st.composite
def batch_norms(draw: Draw, kind: Kind) -> nn.Module:
    norm = nn.BatchNorm2d(kind.channels, affine=draw(st.booleans()))
    least = draw(st.sampled_from([1e-8, 1e-2, 0.5]))
    assert norm.running_var is not None and norm.running_mean is not None
    norm.running_var.uniform_(least, draw(st.sampled_from([2.0, 1e4])))
    norm.running_mean.normal_()
    if norm.affine and draw(st.booleans()):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return norm


def simple(kind: Kind) -> st.SearchStrategy[nn.Module]:
    functions: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda x: -x,
        lambda x: x / 3,
        lambda x: 2 - x,
        lambda x: x + 0.25,
        lambda x: x + x,
        lambda x: x.clone(),
    ]
    return st.sampled_from(functions).map(Then) | st.builds(Affine, st.just(kind.channels))


def layers(kind: Kind) -> st.SearchStrategy[nn.Module]:
    conv = convolutions(kind)
    return st.one_of(
        conv, conv, batch_norms(kind), batch_norms(kind), average_pools(kind), pads(), simple(kind)
    )


def chains(kind: Kind) -> st.SearchStrategy[nn.Module]:
    return st.lists(layers(kind), min_size=1, max_size=3).map(lambda parts: nn.Sequential(*parts))


@st.composite
def sums(draw: Draw, kind: Kind) -> nn.Module:
    branches = draw(st.lists(chains(kind), min_size=2, max_size=3))
    return Sum([draw(st.sampled_from([1, 2, -1])) for _ in branches[1:]], branches)


@st.composite
def regions(draw: Draw) -> nn.Module:
    torch.manual_seed(draw(st.integers(0, 1000)))
    kind = Kind(draw(st.sampled_from([2, 4])), draw(st.sampled_from([1, 1, 1, 2, 3])))
    part = chains(kind) | sums(kind)
    return nn.Sequential(*draw(st.lists(part, min_size=1, max_size=2)))


@torch.no_grad()
def fits(model: nn.Module, x: torch.Tensor) -> bool:
    """Strides and unpadded kernels may use up the image, and a reflection needs a margin to reflect."""
    try:
        model(x)
    except RuntimeError:
        return False
    return True


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(regions(), st.sampled_from([(9, 12), (13, 8), (16, 16)]))
def test_computes_the_same_and_costs_no_more(model: nn.Module, size: tuple[int, int]) -> None:
    channels = next(
        (m.weight.shape[1] * m.groups for m in model.modules() if isinstance(m, nn.Conv2d)), 4
    )
    x = torch.randn(2, channels, *size, generator=torch.Generator().manual_seed(3))
    if not fits(model.eval(), x):
        event("does not fit the image")
        return
    before = program_for(model, x)
    after, fired, _ = apply(RULE, before)
    event("fires" if fired else "stays")
    wide = before.in_float64().run(), after.in_float64().run()
    assert distance(*wide).rel_l2 <= EXACT, f"{graph_text(before)}\n\n{graph_text(after)}"
    assert stats(after).macs <= stats(before).macs
    assert not apply(RULE, after)[1], f"fires again\n{graph_text(after)}"
