"""The gate of firmware: every output, in the mean of held-out pictures and at the worst, by angle and by size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.backends.mcu import residual
from edgevit.backends.mcu.gate import judged
from edgevit.backends.mcu.options import FirmwareOptions
from edgevit.errors import EdgevitError
from edgevit.export.api import export
from edgevit.exported.verify import verify
from edgevit.integer import Port, Quantized, QuantOptions, Value, observe
from edgevit.quantize import HeldOut, wide_values
from edgevit.quantize.calibration import generated
from tests.quantize.imported import rewritten
from tests.quantize.test_wide_values import IMAGE, Net


def port(count: int, scale: float = 0.05) -> Port:
    return Port(Value("y", (count,), "int8", scale), (1, count), (0, 1))


def verdicts(
    expected: list[torch.Tensor], actual: list[torch.Tensor], scale: float = 0.05
) -> tuple[bool, bool, str]:
    runs = [HeldOut((), (y,), ()) for y in expected]
    mean, worst = judged(runs, [(y,) for y in actual], [port(expected[0].numel(), scale)])
    return mean.passed, worst.passed, " ".join(mean.notes)


def pictures(count: int, numbers: int) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(1, numbers) for _ in range(count)]


def test_a_little_noise_passes_and_is_told() -> None:
    expected = pictures(8, 50)
    noisy = [y + 0.05 * torch.randn_like(y) for y in expected]
    mean, worst, notes = verdicts(expected, noisy)
    assert mean and worst and "8 held-out pictures" in notes and "in the mean" in notes


def test_one_bad_picture_of_many_is_the_worst() -> None:
    expected = pictures(16, 50)
    actual = [expected[0] + 0.4 * torch.randn(1, 50), *expected[1:]]
    assert verdicts(expected, actual)[:2] == (True, False)


def test_the_right_direction_of_the_wrong_size_fails() -> None:
    """Two numbers: their cosine is 0.995, and the error is larger than the output."""
    expected = [torch.tensor([[-0.200, -0.061]])] * 8
    actual = [torch.tensor([[-0.455, -0.091]])] * 8
    mean, worst, notes = verdicts(expected, actual)
    assert not mean and not worst
    assert "of its range" in notes


def test_a_number_that_crosses_zero_has_no_angle_of_its_own() -> None:
    """A regression: at 0.01 a rounding changes the sign."""
    expected = [torch.tensor([[value]]) for value in (0.01, 3.0, -2.0, 5.0, -4.0, 1.0, 2.0, -3.0)]
    actual = [y - 0.02 for y in expected]
    assert verdicts(expected, actual)[:2] == (True, True)


def test_each_output_has_to_pass() -> None:
    one, other = pictures(8, 20), pictures(8, 20)
    runs = [HeldOut((), (a, b), ()) for a, b in zip(one, other, strict=True)]
    wrong = [(a, 2 * b) for a, b in zip(one, other, strict=True)]
    mean, worst = judged(runs, wrong, [port(20), port(20)])
    assert not mean.passed and not worst.passed
    assert [note.split(":")[0] for note in mean.notes[1:]] == ["output 0", "output 1"]


def test_not_a_number_fails() -> None:
    expected = pictures(8, 20)
    actual = [torch.full_like(y, float("nan")) for y in expected]
    assert verdicts(expected, actual)[:2] == (False, False)


class Outlier(nn.Module):
    """Tokens beside one that is a thousand times larger, for two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Linear(12, 16)
        self.register = nn.Parameter(400 * torch.randn(1, 1, 16))
        self.norms = nn.ModuleList(nn.LayerNorm(16) for _ in range(3))
        self.blocks = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.patch(x), self.register], 1)
        for norm, block in zip(self.norms, self.blocks, strict=True):
            x = x + block(norm(x)).relu()
        return x[:, :6]


def exported(folder: Path, residual: str) -> tuple[bool, str, list[str], int]:
    torch.manual_seed(3)
    try:
        result = export(
            Outlier().eval(),
            (torch.randn(1, 6, 12),),
            target="qemu-m4",
            output=folder,
            backend_options=FirmwareOptions(residual=residual),
        )
    except EdgevitError as error:
        return False, error.message, [], 0
    firmware = result.manifest["firmware"]
    return (
        result.passed,
        firmware["quantization"]["options"]["residual"],
        result.manifest["notes"],
        firmware["arena_bytes"],
    )


@pytest.mark.slow
def test_the_stream_has_16_bits_where_8_fail(tmp_path: Path) -> None:
    passed, residual, notes, _ = exported(tmp_path / "auto", "auto")
    assert passed and residual == "int16"
    assert any("the residual stream has 16 bits" in note for note in notes)
    verdict = verify(tmp_path / "auto")
    assert verdict.passed and len(verdict.parity) == 4
    assert not exported(tmp_path / "int8", "int8")[0]


def test_what_costs_most_has_8_bits_again_where_that_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One value in 16 bits is asked for: what is ahead of it in the order, and dearer, is taken back."""
    program = rewritten(Net(), IMAGE)
    observation = observe(program, generated(program, count=4), QuantOptions(), ["int8"])
    runs = [HeldOut(x, program.run(x), ()) for x in generated(program, seed=9, count=2).inputs]
    narrow = residual._judged(observation, "int8", runs)
    values = wide_values(observation.program, observation.plan("int8"))
    (needed,) = min(values, key=lambda one: one.cost(frozenset())).nodes

    def passes(quantized: Quantized, runs: object, room: float = 1.0) -> bool:
        return needed.name in quantized.options.wide

    monkeypatch.setattr(residual, "passes", passes)
    best = residual._with_wide_values(narrow, runs)
    assert best.quantized.options.wide == (needed.name,)
