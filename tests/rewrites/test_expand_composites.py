"""Calls that combine a few others: all of them, on numbers of both signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from edgevit.graph.aten import op
from edgevit.rewrites.arithmetic.composites import COMPOSITES
from edgevit.rewrites.arithmetic.expand_composites import ExpandComposites
from tests.rewrites.checking import Call, check_rewrite

X = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))
Y = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(1))

CASES: dict[str, tuple[Callable[..., Any], int]] = {  # and how many results it has
    "addmm": (lambda s, x, y: torch.addmm(x[0, 0, :4], x[0], y[0].mT, beta=0.5, alpha=2), 1),
    "baddbmm": (lambda s, x, y: torch.baddbmm(x[:, :1, :4], x, y.mT), 1),
    "clamp.Tensor": (lambda s, x, y: torch.clamp(x, y - 1, y[:, :1].abs()), 1),
    "cosine_similarity": (lambda s, x, y: F.cosine_similarity(x, y, dim=-1), 1),
    "cumsum": (lambda s, x, y: x.cumsum(1), 1),
    "glu": (lambda s, x, y: F.glu(x, 1), 1),
    "lerp.Scalar": (lambda s, x, y: torch.lerp(x, y, 0.3), 1),
    "lerp.Tensor": (lambda s, x, y: torch.lerp(x, y, y.sigmoid()), 1),
    "logsumexp": (lambda s, x, y: torch.logsumexp(x * 50, (0, 2)), 1),
    "max": (lambda s, x, y: x - x.max(), 1),
    "min": (lambda s, x, y: x - x.min(), 1),
    "repeat": (lambda s, x, y: x[0].repeat(2, 1, 3), 1),
    "repeat_interleave.self_int": (lambda s, x, y: x.repeat_interleave(3, -2), 1),
    "std_mean.correction": (lambda s, x, y: torch.std_mean(x, (1, 2), correction=0, keepdim=True), 2),
    "std_mean.dim": (lambda s, x, y: torch.std_mean(x, (1,)), 2),
    "upsample_linear1d.vec": (lambda s, x, y: F.interpolate(x, scale_factor=2.5, mode="linear"), 1),
    "upsample_nearest1d.vec": (lambda s, x, y: F.interpolate(x, size=9), 1),
    "var_mean.correction": (lambda s, x, y: torch.var_mean(x, (0,), correction=1), 2),
    "var_mean.dim": (lambda s, x, y: torch.var_mean(x, (1,), unbiased=False), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPOSITES)
def test_the_equations_are_the_calls(name: str) -> None:
    function, results = CASES[name]
    after = check_rewrite(ExpandComposites(), Call(function), X, Y, fires=results)
    assert name not in {op(node) for node in after.calls()}


def test_integers_stay() -> None:
    check_rewrite(ExpandComposites(), Call(lambda s, x: x.repeat(2, 1)), torch.ones(1, 2).long())
