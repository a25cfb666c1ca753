"""A precision in integers that would change nothing of a model is refused, or what it changes is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import edgevit
from edgevit.errors import TargetError
from edgevit.quantize import CalibrationOptions

NET = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)).eval()
IMAGE = torch.zeros(1, 3, 8, 8)


@pytest.mark.parametrize(
    ("format", "precision"),
    [
        ("onnx", "int8-dynamic"),
        ("tflite", "int8-dynamic"),
        ("executorch", "int8-dynamic"),
        ("executorch", "w4a8"),
    ],
)
def test_a_precision_of_linears_is_refused_without_one(
    format: str, precision: str, tmp_path: Path
) -> None:
    with pytest.raises(TargetError, match=f"{precision} rounds nothing of this model") as refused:
        edgevit.export(
            NET,
            (IMAGE,),
            target="linux-x86",
            format=format,
            precision=precision,
            calibration=CalibrationOptions("generated", calibrate_count=4),
            output=tmp_path / "out",
        )
    assert "linear" in refused.value.why and "conv2d (2x)" in refused.value.why
    assert "int8" in refused.value.hint and precision not in refused.value.hint
    assert not (tmp_path / "out").exists()


def test_sixteen_bits_are_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as refused:
        edgevit.export(
            NET, (IMAGE,), target="linux-x86", format="executorch", precision="w8a16",
            output=tmp_path / "out",
        )  # fmt: skip
    assert "w4a8" in refused.value.why + refused.value.hint
