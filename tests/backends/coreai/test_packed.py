"""Weights that an asset stores as integers or indices stand for exactly the simulation's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgevit.backends.coreai.deterministic import PROGRAM
from edgevit.backends.coreai.lower import lower
from edgevit.frontend.capture import capture
from edgevit.graph.half import in_float16
from edgevit.quantize import IntegerWeight, RoundedWeight
from edgevit.quantize.weights import PaletteWeight
from tests.backends.runtimes.through import source_of

pytest.importorskip("coreai_torch")
IMAGE = torch.rand(1, 32, 6, 6, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """A convolution, a transposed one, whose output channels are the second axis, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.up = nn.Conv2d(32, 64, 3), nn.ConvTranspose2d(64, 16, 2, 2)
        self.head = nn.Linear(16 * 64, 96)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.up(self.conv(image)).flatten(1))


def integers(weight: torch.Tensor, bits: int, axis: int, block: int = 0) -> IntegerWeight:
    most = 2 ** (bits - 1) - 1
    shape = (weight.shape[0], weight.shape[1] // block) if block else (weight.shape[axis],)
    scales = torch.linspace(0.5, 1, int(np.prod(shape))).reshape(shape).half().float() / 64
    values = torch.randint(-most, most + 1, weight.shape, dtype=torch.int8)
    return IntegerWeight(values, scales, axis, bits, None)


def palette(weight: torch.Tensor, bits: int) -> PaletteWeight:
    table = torch.linspace(-0.1, 0.1, 2**bits).half().float()
    return PaletteWeight(torch.randint(0, 2**bits, weight.shape).byte(), table, bits, None)


@pytest.mark.parametrize(("precision", "share"), [("w4", 0.3), ("palette6", 0.4)])
def test_the_asset_computes_with_the_weights_that_were_judged(
    tmp_path: Path, precision: str, share: float
) -> None:
    torch.manual_seed(0)
    source = source_of(Net().eval(), IMAGE)
    program = capture(source)
    weights: dict[str, RoundedWeight] = {}
    for name, tensor in program.constants.items():
        if tensor.dim() > 1:
            bits, axis = int(precision[-1]), int("up" in name)
            block = 32 if precision == "w4" and not axis else 0
            rounded = palette(tensor, bits) if "palette" in precision else integers(tensor, bits, axis, block)  # fmt: skip
            weights[name] = rounded
    assert len(weights) == 3
    floats = {name: weight.floats() for name, weight in weights.items()}
    simulation = replace(program, constants=program.constants | floats)
    asset = lower(simulation, source, precision=precision, directory=tmp_path, weights=tuple(weights.values()))  # fmt: skip
    assert asset.notes == ()
    from edgevit.backends.coreai.session import open_session

    (result,) = open_session(asset.path, 1).run([IMAGE.numpy()])
    (expected,) = in_float16(simulation).run((IMAGE,))
    assert torch.nn.functional.cosine_similarity(torch.from_numpy(result), expected) > 0.9999
    halves = 2 * sum(tensor.numel() for tensor in floats.values())
    assert (asset.path / PROGRAM).stat().st_size < share * halves + 20_000


def test_a_weight_that_is_not_there_is_told(tmp_path: Path) -> None:
    source = source_of(nn.Linear(32, 32).eval(), torch.zeros(1, 32))
    program = capture(source)
    other = palette(torch.zeros(32, 32), 4)
    asset = lower(program, source, precision="palette4", directory=tmp_path, weights=(other,))
    assert asset.notes == ("1 of 1 rounded weights stay in float16",)
