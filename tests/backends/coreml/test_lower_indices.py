"""Integers in packages of float16: quotients stay integers, and only what fits is narrowed to 16 bits."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from edgevit.backends.coreml.lower import lower
from edgevit.backends.coreml.rules import RULES
from edgevit.frontend.capture import capture
from edgevit.rewrites import engine
from tests.backends.coreml.lowering import far, source_of

ROWS = 70_000  # beyond 16 bits


class Heads(nn.Module):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        scores = x.flatten(1)
        places = scores.topk(5).indices
        low = scores[:, :300].topk(5).indices
        wide = low * 300  # up to 89,700, gathered as they are
        return [
            places,
            torch.gather(scores, 1, places // 7),
            places // 7 + places % 7,
            torch.gather(wide, 1, low % 5),
            wide.unsqueeze(1).squeeze(1)[:, 2:],
        ]


def test_integers_beyond_16_bits(tmp_path: Path) -> None:
    x = torch.zeros(1, 2, ROWS // 2)
    x[0, 1, -9:] = torch.arange(9.0) + 3
    x[0, 0, 200:300] = torch.arange(100.0) / 50
    source = source_of(Heads(), x)
    program, _ = engine.run(capture(source), RULES)
    artifact = lower(
        program, source, minimum_os="iOS17", precision="fp16", directory=tmp_path / "half"
    )
    assert far(program, artifact.path, "fp16").max_abs < 1e-2
