"""Boxes in order of their scores, in integers: scores that 8 bits do not tell apart may change places, nothing else may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.errors import PackageError
from edgevit.export.api import export
from edgevit.exported.golden import load_held_out, save_golden
from edgevit.exported.verify import verify
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.parity import Ranking
from edgevit.graph.program import Outputs
from edgevit.quantize import CalibrationOptions
from edgevit.quantize.calibration import generated
from edgevit.quantize.held_out import file_parity
from edgevit.quantize.run import QuantizedProgram, quantize_program
from edgevit.support.backend_info import BACKENDS

BEST = 6


class Boxes(nn.Module):
    """A detector's head: boxes in order of their best class's score."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 9, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self.head(self.stem(x).relu()).flatten(2).transpose(1, 2)
        best, places = rows[..., 4:].sigmoid().amax(-1).topk(BEST)
        return torch.gather(rows[..., :4], 1, places[..., None].expand(-1, -1, 4)), best


@pytest.fixture(scope="module")
def quantized() -> QuantizedProgram:
    program = capture(resolve(Boxes().eval(), (torch.rand(1, 3, 16, 16),)))
    scheme = BACKENDS["onnx"].scheme("int8")
    assert scheme is not None
    return quantize_program(program, generated(program, count=24), scheme)


def passes(quantized: QuantizedProgram, change: Callable[[Outputs, Ranking], Outputs]) -> bool:
    """Judge a file that gives what the simulation gives, changed."""
    runs = quantized.held_out
    written = [change(run.simulated, run.rankings[0]) for run in runs]
    return file_parity(runs, written, "int8", "runtime").passed


def swapped(ranking: Ranking) -> list[int]:
    """Return an order in which the two closest neighbours have changed places, if they may."""
    gaps = -ranking.scores[0].diff()
    first = int(gaps.argmin())
    order = list(range(BEST))
    if gaps[first] <= ranking.equal:
        order[first], order[first + 1] = first + 1, first
    return order


def test_an_order_that_integers_do_not_tell_apart_is_no_noise(quantized: QuantizedProgram) -> None:
    assert quantized.report.held_out_snr > 25  # 9 dB with the rows as they come
    assert passes(quantized, lambda outputs, _: outputs)
    orders = [swapped(run.rankings[0]) for run in quantized.held_out]
    assert sum(order != sorted(order) for order in orders) > len(orders) / 2
    assert passes(quantized, lambda xs, ranking: tuple(x[:, swapped(ranking)] for x in xs))


def test_what_is_wrong_stays_wrong(quantized: QuantizedProgram) -> None:
    last = list(range(BEST - 1, -1, -1))
    assert not passes(quantized, lambda xs, _: tuple(x[:, last] for x in xs))
    assert not passes(quantized, lambda xs, _: (xs[0] * 1.1, xs[1]))
    assert not passes(quantized, lambda xs, _: (xs[0][:, [0] * BEST], xs[1]))


def test_a_detector_in_integers_is_exported_and_verified_again(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(Path(__file__).read_text())
    how = CalibrationOptions(calibrate="generated")
    result = export(
        f"{tmp_path}/net.py:example", target="linux-x86", format="onnx", precision="int8",
        calibration=how, output=tmp_path / "out",
    )  # fmt: skip
    assert result.passed
    assert verify(tmp_path / "out", trust=True).passed


def example() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    return Boxes().eval(), (torch.rand(1, 3, 16, 16),)


def test_stored_distances_of_scores_are_checked(
    quantized: QuantizedProgram, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    program = quantized.original
    save_golden(tmp_path, program.inputs, program.run(), held_out=quantized.held_out)
    again = load_held_out(tmp_path)
    assert [r.rankings[0].equal for r in again] == [r.rankings[0].equal for r in quantized.held_out]
    (path,) = tmp_path.iterdir()
    tensors = load_file(path)
    (name,) = [key for key in tensors if key.endswith("held_out-0.0.equal")]
    save_file(tensors | {name: torch.tensor(torch.inf)}, path)
    with pytest.raises(PackageError, match="golden"):
        load_held_out(tmp_path)
