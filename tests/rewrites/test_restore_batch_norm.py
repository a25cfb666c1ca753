"""A program that was decomposed before we got it collapses like any other."""

from __future__ import annotations

import torch
from torch import nn

from edgevit.frontend.capture import program_of
from edgevit.graph.parity import distance
from edgevit.rewrites.engine import apply, run
from edgevit.rewrites.norms.restore_batch_norm import RestoreBatchNorm
from edgevit.rewrites.standard import STANDARD
from tests.rewrites.checking import warm

X = torch.randn(1, 3, 8, 8)
NET = warm(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()))


def test_the_decomposed_call_is_restored_and_folded() -> None:
    exported = torch.export.export(NET, (X,)).run_decompositions({})
    program = program_of(exported, "net", (X,), ("x",))
    restored, fired, _ = apply(RestoreBatchNorm(), program)
    assert len(fired) == 1
    assert distance(program.run(), restored.run()).rel_l2 <= RestoreBatchNorm.rtol
    rewritten, report = run(program, STANDARD)
    assert report.after.ops == 2
    assert distance((NET(X),), rewritten.run()).rel_l2 < 1e-5
