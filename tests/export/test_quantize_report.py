"""`edgevit quantize`: the noise of each value, what each method brings, and the calls in floats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import edgevit
from edgevit.cli.main import main
from edgevit.errors import UsageError

X = torch.rand(1, 3, 8, 8)


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.second = nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one, other = self.first(x).chunk(2, 1)
        return self.head((self.second(one) + other.sigmoid()).mean((2, 3)))


def report(precision: str = "int8") -> edgevit.QuantizationReport:
    torch.manual_seed(0)
    return edgevit.quantize(
        Parts(), X, target="linux-x86", format="onnx", precision=precision,
        calibration=torch.rand(16, 3, 8, 8).split(1),
    )  # fmt: skip


def test_each_value_has_its_noise_and_that_of_what_it_reads() -> None:
    whole = report()
    assert [value.kind for value in whole.values if value.kind in {"conv2d", "linear"}] == [
        "conv2d",
        "conv2d",
        "linear",
    ]
    (second,) = [value for value in whole.values if value.module == "second"]
    assert second.before < 100  # through the tuple that `chunk` returns
    record = whole.as_dict()
    weights = 8 * 27 + 16 + 12
    assert record["weight_bytes"] == {"before": 4 * weights, "after": weights}
    said = str(whole)
    for text in ("what each method brings", "calls in floats", "noise along the graph", "sigmoid"):
        assert text in said
    assert "test_quantize_report.py" in said  # the user's lines


def test_floats_have_no_such_report() -> None:
    with pytest.raises(UsageError) as raised:
        report("fp32")
    assert "--precision int8" in raised.value.hint


def test_the_command_prints_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["quantize", "zoo:vit-i32-p8-d24-h2-l1", "--target", "linux-x86", "--format", "onnx"]
    assert main([*words, "--calibrate", "generated", "--quiet", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["precision"] == "int8"
    assert record["quantization"]["values"]


def test_an_export_draws_it(tmp_path: Path) -> None:
    result = edgevit.export(
        Parts(), X, target="linux-x86", format="onnx", precision="int8",
        calibration=torch.rand(16, 3, 8, 8).split(1), output=tmp_path / "out",
    )  # fmt: skip
    page = (result.directory / "report.html").read_text()
    values = result.manifest["quantization"]["values"]
    assert page.count("<title>") == 1 + len(values)  # a bar each, and the page's own
    assert 'class="noise"' in page
    assert "Quantisation</a>" in page
