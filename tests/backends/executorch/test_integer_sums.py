"""ExecuTorch in integers: sums are products with a row of ones there, and are not rounded to bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit import export
from edgevit.backends.session import open_session
from edgevit.quantize.noise import snr


class Embedding(nn.Module):
    """A vector of length one, whatever the picture's contrast."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 16, 4, 4), nn.Linear(16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.head(self.stem(x).relu().mean((2, 3)))
        return nn.functional.normalize(features, dim=-1)


def test_the_length_of_a_vector_is_no_byte(tmp_path: Path) -> None:
    pytest.importorskip("executorch")
    torch.manual_seed(0)
    net = Embedding().eval()
    pictures = [3 ** (k % 5 - 2) * torch.rand(1, 3, 16, 16) for k in range(28)]
    result = export(
        net,
        (pictures[0],),
        target="linux-x86",
        format="executorch",
        precision="int8",
        calibration=[(x,) for x in pictures[:16]],
        output=tmp_path,
    )
    session = open_session("executorch", result.artifact, 1)
    unseen = pictures[16:]
    written = [(torch.from_numpy(session.run([x.numpy()])[0]),) for x in unseen]
    assert snr([(net(x).detach(),) for x in unseen], written) > 33.5
