"""Each way to choose ranges wins somewhere, and is taken only there."""

from __future__ import annotations

from math import inf

import pytest
import torch
from torch import nn

from edgevit.quantize import trial
from edgevit.quantize.calibration import Calibration
from edgevit.quantize.noise import snr
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


def largest(spikes: int, saturates: bool = True) -> float:
    """Return the largest number that the input's encoding holds."""
    torch.manual_seed(0)
    inputs = tuple((picture(spikes, seed),) for seed in range(8))
    program = rewritten(Mixing(saturates), inputs[0][0])
    encodings = quantize_program(program, Calibration(inputs, "spikes"), QuantScheme()).encodings
    return max(127 * grid.scale for node, grid in encodings.items() if node.op == "placeholder")


@pytest.mark.parametrize("spikes", [1, 200])
def test_spikes_that_a_reader_does_not_see_are_clipped(spikes: int) -> None:
    """One in ten thousand by the percentile; any number where the gradient tells."""
    assert largest(spikes) < 0.2 * largest(spikes, saturates=False)


class Apart(nn.Module):
    """One half saturates behind a tanh, and the other is seen whole: no one way suits both."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.lost = Mixing(saturates=False), Mixing(saturates=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.seen(x.neg()) + 50 * self.lost(x)


def test_values_that_want_different_ranges_get_them() -> None:
    torch.manual_seed(0)
    inputs = tuple((picture(200, seed),) for seed in range(8))
    program = rewritten(Apart(), inputs[0][0])
    report = quantize_program(program, Calibration(inputs, "spikes"), QuantScheme()).report
    by_name = {method.name: method for method in report.methods}
    own = by_name["a range of its own for each value"]
    assert own.taken
    assert own.after > own.before + 1


def test_a_range_reaches_farther_than_the_few_inputs_that_chose_it() -> None:
    """Brighter pictures among those that judge would clip."""
    torch.manual_seed(0)
    inputs = tuple((picture(0, seed) * (1 + 0.5 * (seed % 2)),) for seed in range(8))
    program = rewritten(Mixing(saturates=False), inputs[0][0])
    quantized = quantize_program(program, Calibration(inputs, "brighter"), QuantScheme())
    (pixels,) = (grid for node, grid in quantized.encodings.items() if node.op == "placeholder")
    assert pixels.high >= 1.05 * max(float(x.max()) for (x,) in inputs[::2])
    taken = {method.name for method in quantized.report.methods if method.taken}
    assert "a range of its own for each value" in taken


def judged_and_seen(brighter: float) -> tuple[float, float]:
    """Return the ratio on the judging inputs, and on inputs that are brighter than these."""
    torch.manual_seed(0)
    inputs = tuple((picture(0, seed),) for seed in range(8))
    unseen = tuple((picture(0, seed) * brighter,) for seed in range(8, 12))
    program = rewritten(Mixing(saturates=False), inputs[0][0])
    made = quantize_program(program, Calibration(inputs, "dark"), QuantScheme())
    outputs = made.program.run_all(unseen)
    return made.report.held_out_snr, snr(program.run_all(unseen), outputs)


def test_pictures_brighter_than_all_that_were_seen_clip_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trial, "_PLENTY", inf)
    judged, seen = judged_and_seen(1.2)
    monkeypatch.setattr(trial, "_ROOMS", ())
    without_room, clipped = judged_and_seen(1.2)
    assert without_room - 1.5 <= judged < without_room
    assert seen > clipped + 3


def test_where_noise_is_little_ranges_are_as_wide_as_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged, seen = judged_and_seen(1.4)
    assert judged >= 35
    monkeypatch.setattr(trial, "_PLENTY", inf)
    nearer, clipped = judged_and_seen(1.4)
    assert judged < nearer - 0.5 and seen > clipped + 1
