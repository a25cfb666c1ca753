"""One-dimensional convolutions that share their weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgevit.rewrites.convolutions.own_weights import OwnWeights
from tests.rewrites.checking import check_rewrite

X = torch.randn(1, 4, 9)


class Shared(nn.Module):
    def __init__(self, convolve) -> None:
        super().__init__()
        self.convolve = convolve
        self.weight = nn.Parameter(torch.randn(4, 4, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolve(x, self.weight)
        return self.convolve(y.relu(), self.weight) + self.weight.sum()


@pytest.mark.parametrize("convolve", [F.conv1d, F.conv_transpose1d])
def test_each_convolution_has_its_own(convolve) -> None:
    after = check_rewrite(OwnWeights(), Shared(convolve), X, fires=2)
    weights = [node.args[1] for node in after.calls() if "conv" in node.name]
    assert len({str(w.target) for w in weights}) == 2  # type: ignore[union-attr]
    assert all(len(w.users) == 1 for w in weights)  # type: ignore[union-attr]


def test_weights_that_nobody_else_reads_stay() -> None:
    net = nn.Sequential(nn.Conv1d(4, 4, 3), nn.Conv1d(4, 4, 3))
    check_rewrite(OwnWeights(), net, X, fires=0)


def test_two_dimensional_convolutions_share() -> None:
    class Twice(Shared):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            weight = self.weight[..., None]
            return F.conv2d(F.conv2d(x[..., None], weight), weight)

    check_rewrite(OwnWeights(), Twice(None), X, fires=0)
