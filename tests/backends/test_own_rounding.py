"""A limit of float32 is wider where PyTorch's own float32 is farther from float64, and nowhere else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgevit.backends import Expected
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.parity import FP16, FP32, Distance
from edgevit.graph.program import Program

X = torch.rand(4, 64, generator=torch.Generator().manual_seed(0))
APART = Distance(1e-3, 5e-4, 1.0, 1.0)


class Cancels(nn.Module):
    def __init__(self, large: float) -> None:
        super().__init__()
        self.large = large

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + self.large) - self.large


def expected(large: float, lowered: Program | None = None) -> Expected:
    source = ModelSource("tests:net", "net", Cancels(large), (X,), ("x",), "a test", "as built")
    program = capture(source)
    return Expected((X,), program.run(), lowered or program, original=program)


def test_a_net_that_cancels_has_a_wider_limit() -> None:
    limit = expected(3000.0).limit(FP32, APART, "fp32")
    assert APART.rel_l2 < limit.max_rel_l2 < 3e-3
    assert not limit.holds(Distance(1e-2, 5e-3, 1.0, 1.0))


@pytest.mark.parametrize("large", [1.0, 1e7])
def test_others_have_the_usual_one(large: float) -> None:
    assert expected(large).limit(FP32, APART, "fp32") == FP32


def test_a_lowered_program_that_is_wrong_does_not_excuse_itself() -> None:
    wrong = capture(ModelSource("tests:net", "net", Cancels(3000.0), (X,), ("x",), "a", "b"))
    assert expected(1.0, wrong).limit(FP32, APART, "fp32") == FP32


def test_only_float32_is_measured() -> None:
    assert expected(3000.0).limit(FP16, APART, "fp16") == FP16
