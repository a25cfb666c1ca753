"""Layer norms of a residual stream whose writers give no mean are RMS norms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.rewrites.norms.drop_norm_mean import CentreStream, DropNormMean
from tests.rewrites.checking import Call, check_rewrite, kinds

WIDTH = 6


class Transformer(nn.Module):
    """Patches, a token of its own, positions, and blocks that add to the stream what they read from it normalised."""

    def __init__(self, depth: int = 2, affine: bool = True) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, WIDTH, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH) + 3)
        self.place = nn.Parameter(torch.randn(1, 5, WIDTH) - 2)
        norms = [nn.LayerNorm(WIDTH, elementwise_affine=affine) for _ in range(depth + 1)]
        for norm in norms if affine else ():
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
        self.norms = nn.ModuleList(norms)
        self.wide = nn.ModuleList(nn.Linear(WIDTH, 8) for _ in range(depth))
        self.narrow = nn.ModuleList(nn.Linear(8, WIDTH, bias=k > 0) for k in range(depth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        for norm, wide, narrow in zip(self.norms, self.wide, self.narrow, strict=False):
            x = x + narrow(wide(norm(x)).relu())
        return self.norms[-1](x[:, 0])


@pytest.mark.parametrize("affine", [True, False])
def test_a_whole_transformer(affine: bool) -> None:
    after = check_rewrite(
        DropNormMean(), Transformer(affine=affine), torch.randn(2, 3, 8, 8) + 1, fires=1
    )
    assert "layer_norm" not in kinds(after)
    assert kinds(after).count("mean") == 3
    assert "sub" not in kinds(after)


def test_a_stream_is_centred_and_its_norms_stay() -> None:
    after = check_rewrite(CentreStream(), Transformer(), torch.randn(2, 3, 8, 8) + 1, fires=1)
    assert kinds(after).count("layer_norm") == 3 and "rsqrt" not in kinds(after)
    (table,) = (c for c in after.constants.values() if c.shape == (1, 5, WIDTH))
    assert table.mean(-1).abs().max() < 1e-6  # where it was about -2


def test_a_stream_without_a_mean_is_left() -> None:
    net = Call(lambda s, x: s.norm(s.linear(x)))
    net.linear, net.norm = nn.Linear(4, WIDTH, bias=False), nn.LayerNorm(WIDTH)
    net.linear.weight.data -= net.linear.weight.data.mean(0)
    check_rewrite(CentreStream(), net, torch.randn(3, 4), refuses="it has no mean")


@pytest.mark.parametrize("rule", [DropNormMean(), CentreStream()])
def test_weights_with_zeros_keep_them(rule: DropNormMean) -> None:
    net = Transformer()
    with torch.no_grad():
        net.narrow[1].weight[:, ::4] = 0
    why = "weights have zeros, which a mean would fill"
    check_rewrite(rule, net, torch.randn(2, 3, 8, 8) + 1, refuses=why)


def test_one_norm_behind_a_linear() -> None:
    net = Call(lambda s, x: s.norm(s.linear(x)))
    net.linear, net.norm = nn.Linear(4, WIDTH), nn.LayerNorm(WIDTH)
    check_rewrite(DropNormMean(), net, torch.randn(3, 4), fires=1)


class Parts(Call):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__(function)
        self.linear, self.norm = nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH)
        self.grouped = nn.Conv2d(WIDTH, WIDTH, 1, groups=2)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda s, x: s.norm(x), "`placeholder` is not of weights"),
        (lambda s, x: s.norm(s.linear(x).relu()), "`relu` is not of weights"),
        (lambda s, x: s.norm(s.linear(s.norm(x)) + s.norm(x)), "`layer_norm` is not of weights"),
        (lambda s, x: s.norm(y := s.linear(x)) + y.sin(), "`sin` reads the mean too"),
        (lambda s, x: s.norm(y := s.linear(x)) + y, "`output` reads the mean too"),
        (lambda s, x: s.norm(s.linear(x) + x.mean(-1, keepdim=True)), "`add` is not of weights"),
        (lambda s, x: s.norm(s.grouped(x[..., None])[..., 0].transpose(1, 2)), "`conv2d` is not"),
        (lambda s, x: s.norm(s.linear(x).transpose(1, 2)), "`linear` is not of weights"),
        (lambda s, x: s.norm(s.linear(x).max(1).values), "is not of weights"),
    ],
    ids=["input", "relu", "norm", "other", "output", "broadcast", "grouped", "tokens", "several"],
)
def test_what_must_keep_its_mean(function: Callable[..., torch.Tensor], why: str) -> None:
    check_rewrite(DropNormMean(), Parts(function), torch.randn(2, 6, WIDTH), refuses=why)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(-50, 50), st.lists(st.sampled_from("aspc"), max_size=4))
def test_any_stream(seed: int, mean: float, steps: list[str]) -> None:
    """Whatever is added, cut, turned and joined, and however far from zero the weights would take it."""
    torch.manual_seed(seed)

    def function(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = net.linear(x)  # type: ignore[operator]
        for step in steps:
            if step == "a":
                y = y + net.linear(net.norm(y))  # type: ignore[operator]
            elif step == "s":
                y = y[:, 1:] if y.shape[1] > 1 else y.reshape(1, -1, WIDTH)
            elif step == "p":
                y = y.transpose(0, 1)
            else:
                y = torch.cat([y, y], 1)
        return net.norm(y)  # type: ignore[operator]

    net = Parts(function)
    nn.init.normal_(net.linear.bias, mean)
    check_rewrite(DropNormMean(), net, torch.randn(2, 3, WIDTH), fires=1)
