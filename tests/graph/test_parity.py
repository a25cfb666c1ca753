"""Verdicts: near by angle and by length, for each output."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import edgevit
from edgevit.backends.mcu.gate import MEAN
from edgevit.graph.parity import FP16, FP32, SAME, Limit, Parity, angle_limit, distance
from edgevit.quantize.options import CalibrationOptions
from edgevit.tune.artifacts import drop_of

SCALED = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(3, 2, bias=False)
        self.head.weight.data.fill_(1.0)

    def forward(self, x):
        return self.head(x.mean((2, 3)))

def build():
    return Net().eval(), (torch.ones(1, 3, 8, 8),)
"""


def test_firmware_that_saturates_alike_in_both_outputs_is_not_the_model(tmp_path: Path) -> None:
    """Calibrated on faint pictures, both outputs stop at the same number: cosine 1."""
    (tmp_path / "net.py").write_text(SCALED)
    faint = np.random.default_rng(0).uniform(0, 0.1, (4, 3, 8, 8))
    np.save(tmp_path / "faint.npy", faint.astype(np.float32))
    result = edgevit.export(
        f"{tmp_path / 'net.py'}:build",
        target="qemu-m4",
        weights="as built",
        calibration=CalibrationOptions(calibrate=str(tmp_path / "faint.npy")),
        output=tmp_path / "out",
    )
    integers = next(p for p in result.manifest["parity"] if p["stage"] == "integers, example")
    assert integers["cosine"] > 0.99 and integers["rel_l2"] > 0.5
    assert not integers["passed"] and not result.passed
    assert integers["limit"] == "relative L2 <= 0.671 and cosine >= 0.9"


@pytest.mark.parametrize("limit", [FP32, FP16, MEAN])
def test_no_factor_and_no_sign_passes_a_verdict(limit: Limit) -> None:
    expected = torch.tensor([[1.0, -2.0]])
    for factor in (0.5, 2.2, -1.0, 0.0, 1e6):
        assert not limit.holds(distance([expected], [expected * factor])), factor
    one_of_two = distance([expected, expected], [expected, expected * 2])
    assert not limit.holds(one_of_two)
    assert limit.holds(distance([expected], [expected * (1 + 1e-6)]))


@pytest.mark.parametrize("cosine", [0.99, 0.999])
def test_what_has_the_cosine_and_the_length_passes(cosine: float) -> None:
    limit = angle_limit(cosine)
    angle = np.arccos(cosine) * 0.999
    for length in (0.96, 1.0, 1.04):
        actual = torch.tensor([np.cos(angle), np.sin(angle)]) * length
        assert limit.holds(distance([torch.tensor([1.0, 0.0])], [actual])), length


def test_a_tuning_counts_a_changed_length_as_a_drop() -> None:
    same, scaled = ({"cosine": 1.0, "rel_l2": r} for r in (0.0, 0.2))
    turned = {"cosine": 0.98, "rel_l2": (2 - 2 * 0.98) ** 0.5}
    assert drop_of({"parity": [same], "from_original": None}) == 0
    assert drop_of({"parity": [scaled, same], "from_original": None}) == pytest.approx(0.02)
    assert drop_of({"parity": [same], "from_original": turned}) == pytest.approx(0.02)
    assert drop_of({"parity": [turned], "from_original": scaled}) == pytest.approx(0.08, rel=0.02)


NAN, INF = math.nan, math.inf
LOOSE = Limit(max_rel_l2=INF)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ([[NAN, NAN]], [[NAN, NAN]]),
        ([[1.0, NAN]], [[1.0, NAN]]),
        ([[1.0, 2.0]], [[1.0, NAN]]),
        ([[NAN, 2.0]], [[1.0, 2.0]]),
        ([[1.0, INF]], [[1.0, -INF]]),
        ([[1.0, INF]], [[1.0, 9.0]]),
        ([[INF, -INF]], [[INF, -INF]]),  # nothing is finite: nothing is known
        ([[]], [[]]),
        ([[1.0, 2.0], [NAN]], [[1.0, 2.0], [NAN]]),  # whichever output it is
        ([[NAN], [1.0, 2.0]], [[NAN], [1.0, 2.0]]),
    ],
)
def test_what_is_not_a_number_passes_no_verdict(
    expected: list[list[float]], actual: list[list[float]]
) -> None:
    apart = distance(list(map(torch.tensor, expected)), list(map(torch.tensor, actual)))
    assert not Parity("runtime", "fp32", apart, FP32).passed
    assert not Parity("runtime", "fp16", apart, FP16).passed


@pytest.mark.parametrize("field", ["max_abs", "rel_l2", "cosine", "top1_agree"])
def test_no_limit_holds_for_a_distance_with_nan(field: str) -> None:
    assert LOOSE.holds(SAME)
    assert not LOOSE.holds(replace(SAME, **{field: NAN}))


def test_infinities_that_are_the_same_are() -> None:
    mask = [torch.tensor([1.0, -INF, 2.0])]
    assert FP32.holds(distance(mask, mask))


def test_numbers_near_the_largest_are_compared_or_unknown() -> None:
    large = torch.tensor([1e200, 1e200], dtype=torch.float64)
    assert not FP32.holds(distance([large], [-large]))
    assert not FP32.holds(distance([large * 1e100], [large * 1e100 * 2]))
