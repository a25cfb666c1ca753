"""`--precision auto` is written as it suits the device, and says why and at what cost."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import edgevit
from edgevit.backends import Artifact
from edgevit.export import automatic
from edgevit.export.automatic import Times, compare_with_floats
from edgevit.export.job import ExportJob
from edgevit.export.request import ExportRequest
from edgevit.quantize import CalibrationOptions
from edgevit.targets import load_target

GENERATED = CalibrationOptions("generated", calibrate_count=4)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.linear = nn.Conv2d(3, 8, 3, 2), nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.norm(torch.relu(self.conv(x)).mean((2, 3))))


@pytest.mark.parametrize(
    ("target", "format", "precision"),
    [
        ("iphone-15-pro", "coreml", "int8"),
        ("iphone-14", "coreml", "w8"),
        ("iphone-17", "coreai", "fp16"),
        ("galaxy-s25", "qnn", "w8a16"),
        ("qemu-m7", "mcu", "int8"),
        ("linux-x86", "onnx", "int8"),
        ("linux-x86", "tflite", "auto"),
        ("linux-x86", "executorch", "auto"),
        ("linux-x86", "tvm", "fp32"),
    ],
)
def test_auto_suits_the_device(target: str, format: str, precision: str) -> None:
    request = ExportRequest() if format == "coreai" else ExportRequest(calibration=GENERATED)
    job = ExportJob.validated(target, [format], "auto", request=request)
    assert job.precisions == {format: precision}
    assert job.automatic[format].precision == precision and job.automatic[format].why


@pytest.mark.slow
def test_a_slower_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic, "_times", lambda *_: Times(0.0028, 0.002, 1.4))
    torch.manual_seed(0)
    result = edgevit.export(
        Net().eval(), (torch.randn(1, 3, 16, 16),), target="linux-x86", format="tflite",
        precision="auto", calibration=GENERATED, output=tmp_path / "out",
    )  # fmt: skip
    reason, figure, *_ = result.manifest["notes"]
    assert reason.startswith("auto: linear layers")
    assert figure.startswith("auto is slower here: 2.8 ms, x1.40 of the 2 ms in fp32, by TFLite")
    assert figure.endswith("--precision fp32 is the faster one")


@pytest.mark.parametrize(("ratio", "precision"), [(1.13, "fp32"), (0.8, "int8")])
def test_floats_are_kept_where_integers_save_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratio: float, precision: str
) -> None:
    monkeypatch.setattr(automatic, "_times", lambda *_: Times(ratio / 100, 0.01, ratio))
    torch.manual_seed(0)
    result = edgevit.export(
        Net().eval(), (torch.randn(1, 3, 16, 16),), target="linux-x86", format="onnx",
        precision="auto", calibration=GENERATED, output=tmp_path / "out",
    )  # fmt: skip
    assert result.passed and result.manifest["precision"] == precision
    assert ("quantization" in result.manifest) == (precision == "int8")
    reason, *_ = result.manifest["notes"]
    if precision == "fp32":
        assert (
            reason.startswith("auto is fp32: int8 takes 11.3 ms, x1.13")
            and "--precision int8" in reason
        )
        assert "calibrat" not in str(result.manifest["command"])
    assert edgevit.verify(result.directory).passed


def test_what_cannot_be_timed_here_is_told() -> None:
    target = load_target("iphone-14")
    artifact = Artifact("coreml", "w8", Path("net.mlpackage"), {})

    def lower(*_: object) -> Artifact:
        raise AssertionError("nothing to compare with")

    chosen = target.automatic("coreml")
    (reason, untimed) = compare_with_floats(chosen, artifact, (), target, lower).notes
    assert reason.startswith("auto is w8: ")
    assert untimed.startswith("whether auto is faster than fp16 is not known: the target is not")


def test_nothing_is_compared_where_there_are_no_floats() -> None:
    target = load_target("qemu-m7")
    artifact = Artifact("mcu", "int8", Path("net"), {})
    (reason,) = compare_with_floats(
        target.automatic("mcu"), artifact, (), target, lambda *_: artifact
    ).notes
    assert reason.startswith("auto is int8: ")


@pytest.mark.parametrize(
    "format",
    [
        pytest.param("tflite", marks=pytest.mark.slow),
        pytest.param("executorch", marks=pytest.mark.long),
    ],
)
def test_files_of_all_runtimes_here_are_timed_beside_floats(tmp_path: Path, format: str) -> None:
    torch.manual_seed(0)
    result = edgevit.export(
        Net().eval(), (torch.randn(1, 3, 16, 16),), target="linux-x86", format=format,
        precision="auto", calibration=GENERATED, output=tmp_path / "out",
    )  # fmt: skip
    figure = result.manifest["notes"][1]
    assert " ms in fp32, by " in figure
    ratio = float(figure.split(", x")[1].split()[0])
    assert figure.startswith("auto is slower here" if ratio > 1 else "auto takes")
