"""Each way to choose ranges wins somewhere, and is taken only there."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgevit.quantize.calibration import Calibration
from edgevit.quantize.run import quantize_program
from edgevit.quantize.scheme import QuantScheme
from tests.quantize.imported import rewritten

SIZE = 128


class Mixing(nn.Module):
    """With a tanh, what is far from zero is all the same behind it."""

    def __init__(self, saturates: bool) -> None:
        super().__init__()
        self.act = nn.Tanh() if saturates else nn.Identity()
        self.mix, self.head = nn.Conv2d(1, 4, 1, bias=False), nn.Conv2d(4, 2, 1)
        self.mix.weight.data = torch.tensor([3.0, -3.0, 4.0, -2.0]).reshape(4, 1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.act(self.mix(x)))


def picture(spikes: int, seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    x = 0.3 * torch.randn(SIZE * SIZE, generator=draw)
    places = torch.randperm(len(x), generator=draw)[:spikes]
    x[places] = 50.0
    return x.reshape(1, 1, SIZE, SIZE)


def ways(spikes: int, saturates: bool = True) -> dict[str, bool]:
    torch.manual_seed(0)
    inputs = tuple((picture(spikes, seed),) for seed in range(8))
    program = rewritten(Mixing(saturates), inputs[0][0])
    report = quantize_program(program, Calibration(inputs, "spikes"), QuantScheme()).report
    return {method.name: method.taken for method in report.methods}


@pytest.mark.parametrize(
    ("spikes", "name"), [(1, "percentile ranges"), (200, "weighted mse ranges")]
)
def test_spikes_that_a_reader_does_not_see_are_clipped(spikes: int, name: str) -> None:
    """One in ten thousand for the percentile; any number where the gradient tells."""
    assert ways(spikes)[name]


def test_spikes_that_a_reader_sees_are_not_clipped() -> None:
    taken = ways(1, saturates=False)
    assert not taken["percentile ranges"] and not taken["weighted mse ranges"]
