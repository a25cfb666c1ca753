"""Means of powers stay in the range of float16."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from edgevit.rewrites.engine import apply
from edgevit.rewrites.pools_and_padding.scale_power_mean import ScalePowerMean
from tests.rewrites.checking import Call, check_rewrite

X = torch.randn(2, 3, 6, 4, generator=torch.Generator().manual_seed(0)) * 50


def gem(x: torch.Tensor, power: float = 3.0, least: float = 1e-6) -> torch.Tensor:
    return F.adaptive_avg_pool2d(x.clamp(min=least).pow(power), 1).pow(1 / power)


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: gem(x),
        lambda s, x: x.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3),
        lambda s, x: F.avg_pool2d(x.clamp(min=0.1).pow(2.0), 2).pow(0.5),
    ],
    ids=["pool", "mean", "windows"],
)
def test_nothing_is_raised_that_is_above_one(function: Callable[..., torch.Tensor]) -> None:
    after = check_rewrite(ScalePowerMean(), Call(function), X, fires=1)
    values: dict[str, torch.Tensor] = {}

    class Watch(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> object:
            made = super().run_node(n)
            if isinstance(made, torch.Tensor):
                values[n.name] = made
            return made

    owner = torch.nn.Module()
    for name, held in after.constants.items():
        owner.register_buffer(name.replace(".", "_"), held)
    Watch(torch.fx.GraphModule(owner, after.graph)).run(X)
    powers = [value for name, value in values.items() if name.startswith("pow")]
    assert max(float(power.max()) for power in powers) <= 1.0001


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda s, x: F.adaptive_avg_pool2d(x.pow(3.0), 1).pow(1 / 3), "0 or less"),
        (lambda s, x: gem(x, least=0.0), "0 or less"),
        (lambda s, x: x.clamp(min=0.1).pow(3).mean(1).pow(1 / 3), "not over the places"),
        (lambda s, x: (y := x.clamp(min=0.1).pow(3)).mean((2, 3)).pow(1 / 3).sum() + y, "others"),
    ],
    ids=["no bound", "zero", "channels", "others"],
)
def test_what_is_refused(function: Callable[..., torch.Tensor], why: str) -> None:
    check_rewrite(ScalePowerMean(), Call(function), X, refuses=why)


def test_other_roots_are_no_mean_of_powers() -> None:
    net = Call(lambda s, x: x.clamp(min=0.1).pow(3).mean((2, 3)).pow(0.5))
    check_rewrite(ScalePowerMean(), net, X, fires=0)
    assert not apply(ScalePowerMean(), check_rewrite(ScalePowerMean(), net, X))[2]


@settings(max_examples=15, deadline=None)
@given(st.floats(1.5, 6), st.floats(1e-3, 100), st.integers(1, 5))
def test_any_power(power: float, scale: float, size: int) -> None:
    x = torch.randn(2, 3, size, size + 1) * scale
    check_rewrite(ScalePowerMean(), Call(lambda s, x: gem(x, power)), x, fires=1)
