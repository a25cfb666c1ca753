"""Lossy steps on a trained net: what each saves, and what it costs in accuracy on test pictures."""

from __future__ import annotations

import pytest
import torch

from edgevit.graph.program import Program
from edgevit.rewrites.lossy.parser import parse_lossy
from edgevit.rewrites.lossy.run import apply_lossy
from tests.quantize import bed
from tests.rewrites.checking import program_for


@pytest.fixture(scope="module")
def fine() -> Program:
    torch.set_num_threads(1)
    return program_for(bed.net("fine"), bed.pictures("test", 200)[0])


@pytest.mark.parametrize(
    ("word", "share"), [("fuse-tokens=0:0.8", 0.45), ("merge-tokens=0.4:0.4", 0.45)]
)
def test_fewer_tokens_cost_at_most_a_point(fine: Program, word: str, share: float) -> None:
    result = apply_lossy(fine, parse_lossy(word))
    (step,) = result.steps
    assert step.macs_after <= share * step.macs_before
    labels = bed.pictures("test", 200)[1]
    (before,), (after,) = fine.run(), result.outputs
    assert bed.accuracy(before, labels) - bed.accuracy(after, labels) <= 1
