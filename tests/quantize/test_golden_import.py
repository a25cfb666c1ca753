"""The integer graph that a net becomes, held against what a reviewer has read.

All numbers of the net are eighths, and ranges are whole: so no processor rounds them in another way.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from edgevit.integer.lowering.quantized import QuantOptions
from edgevit.integer.text import integer_text
from edgevit.quantize.calibration import Calibration
from tests.quantize.imported import imported


class Block(nn.Module):
    """A stem, a residual block with a depthwise convolution, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.spatial = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.channels = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = x + self.channels(torch.relu(self.spatial(x)))
        return self.head(x.mean((2, 3)))


def eighths(shape: torch.Size, seed: int) -> torch.Tensor:
    return torch.randint(-8, 9, shape, generator=torch.Generator().manual_seed(seed)) / 8


def test_what_a_net_becomes(golden: Callable[[str, str], None]) -> None:
    net = Block()
    for seed, parameter in enumerate(net.parameters()):
        parameter.data = eighths(parameter.shape, seed)
    runs = tuple((eighths(torch.Size((1, 3, 8, 8)), 100 + seed),) for seed in range(4))
    options = QuantOptions(observer="min-max", equalize=False)
    found = imported(net, runs[0][0], calibration=Calibration(runs, "eighths"), options=options)
    golden("block", integer_text(found.graph, sums=False))
