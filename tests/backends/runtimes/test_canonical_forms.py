"""Calls that a runtime has no kernel for, or a slow one, are right in the file and run in its own library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgevit.backends.worker import Worker
from edgevit.graph.parity import distance
from tests.backends.runtimes.through import lowered, source_of

X = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
FORMS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "fold, side by side": lambda x: F.fold(x.reshape(1, 16, 16), (8, 8), 2, stride=2),
    "fold, overlapping": lambda x: F.fold(F.unfold(x, 3, padding=1), (8, 8), 3, padding=1),
    "fold, with a border": lambda x: F.fold(F.unfold(x, 3, 1, 1, 2), (8, 8), 3, 1, 1, 2),
    "unfold": lambda x: F.unfold(x, (2, 3), dilation=(2, 1)),
    "adaptive max": lambda x: F.adaptive_max_pool2d(x, (4, 1)),
    "adaptive max, uneven": lambda x: F.adaptive_max_pool2d(x, (3, 5)),
    "adaptive max, larger": lambda x: F.adaptive_max_pool2d(x, (9, 8)),
    "adaptive max of rows": lambda x: F.adaptive_max_pool1d(x.flatten(2), 5),
    "sort": lambda x: x.sort(1)[0],
    "sort, descending": lambda x: x.sort(descending=True)[0],
    "argsort": lambda x: x.argsort(2),
    "pixel unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "pixel shuffle": lambda x: F.pixel_shuffle(x, 2),
    "normalize": lambda x: F.normalize(x, dim=1),
    "normalize rows": lambda x: F.normalize(x.flatten(2), dim=-1),
    "normalize by sums": lambda x: F.normalize(x, p=1.0, dim=1),
    "normalize by the largest": lambda x: F.normalize(x, p=float("inf"), dim=1),
    "GeM": lambda x: F.adaptive_avg_pool2d(x.clamp(min=1e-6).pow(3.0), 1).pow(1 / 3.0),
    "FNet": lambda x: torch.fft.fft2(x.flatten(2)).real,
    "global filter": lambda x: torch.fft.irfft2(
        torch.fft.rfft2(x, norm="ortho") * torch.complex(torch.ones(8, 5), torch.ones(4, 8, 1)),
        norm="ortho",
    ),
    "chunk": lambda x: x.chunk(3, 2)[0] * x.chunk(3, 2)[1].sigmoid(),
    "unbind": lambda x: torch.stack(x.unbind(1)[::-1], 1) + x.unbind(3)[2].unsqueeze(-1),
}


class Forms(nn.Module):
    """Each form's value is an output, so that one conversion serves them all."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        image = self.stem(x)
        return [form(image) for form in FORMS.values()]


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "executorch", "tflite"])
def test_all_of_them(format: str, tmp_path: Path) -> None:
    net = Forms().eval()
    artifact, _ = lowered(format, source_of(net, X), tmp_path)
    with Worker(format, threads=1) as worker, torch.no_grad():
        worker.open(artifact.path)
        for given in (X, X.flip(2).roll(3, -1) * 1.7):  # the second is not the example
            found = [torch.from_numpy(y.copy()) for y in worker.run([given.numpy()])]
            pairs = zip(FORMS, net(given), found, strict=True)
            far = {name: distance([a], [b]).rel_l2 for name, a, b in pairs}
            assert not {name: error for name, error in far.items() if not error < 1e-5}
