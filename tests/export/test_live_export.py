"""Live models on every format: inputs and outputs of any structure, and a folder that stands alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import edgevit
from edgevit.backends.mcu import FirmwareOptions
from edgevit.cli.main import main
from edgevit.exported.golden import load_golden
from tests.frontend.test_live import state_of

X = torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16)
FORMATS = {
    "coreml": "iphone",
    "onnx": "linux-x86",
    "tflite": "linux-x86",
    "executorch": "linux-x86",
}


class Stem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(image)))


class OneInput(Stem):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return super().forward(image).mean((2, 3))


class TwoInputs(Stem):
    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return super().forward(image) * mask


class Keywords(Stem):
    def forward(self, image: torch.Tensor, *, scale: torch.Tensor) -> dict[str, torch.Tensor]:
        y = super().forward(image) * scale
        return {"logits": y.mean((2, 3)), "features": y}


class Outputs(Stem):
    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = super().forward(image)
        return y.mean((2, 3)), y * 2


MASK, SCALE = torch.linspace(0, 1, 16), torch.tensor([0.5])
CASES: dict[str, tuple[type[Stem], Any, tuple[str, ...], tuple[str, ...]]] = {
    "one": (OneInput, (X,), ("image",), ("output",)),
    "two inputs": (TwoInputs, (X, MASK), ("image", "mask"), ("output",)),
    "dict": (Keywords, {"scale": SCALE, "image": X}, ("image", "scale"), ("logits", "features")),
    "tuple of outputs": (Outputs, (X,), ("image",), ("output_0", "output_1")),
}


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"root": tmp_path_factory.mktemp("live")}


def exported(exports: dict[str, Any], case: str, format: str) -> edgevit.ExportResult:
    """Return a result. The formats of one target are exported together, once."""
    kind, example, _, _ = CASES[case]
    target = FORMATS[format]
    formats = [f for f in FORMATS if FORMATS[f] == target]
    if (case, target) not in exports:
        torch.manual_seed(1)
        module = kind()
        module.train()
        before = state_of(module)
        folder = exports["root"] / case.replace(" ", "-") / target
        exports[case, target] = edgevit.export(
            module, example, target=target, formats=formats, output=folder
        )
        assert state_of(module) == before
        exports[case] = module.eval()
    return exports[case, target][format]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_a_live_module_is_exported(case: str, format: str, exports: dict[str, Any]) -> None:
    _, example, inputs, outputs = CASES[case]
    result = exported(exports, case, format)
    assert result.passed
    manifest = json.loads((result.directory / "edgevit.json").read_text())
    assert tuple(entry["name"] for entry in manifest["model"]["inputs"]) == inputs
    with torch.no_grad():
        module = exports[case]
        made = module(**example) if isinstance(example, dict) else module(*example)
    expected = made.values() if isinstance(made, dict) else made if isinstance(made, tuple) else [made]  # fmt: skip
    golden_inputs, golden = load_golden(result.directory)
    assert len(golden) == len(outputs)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(golden, expected, strict=True))
    by_name = example if isinstance(example, dict) else dict(zip(inputs, example, strict=True))
    for name, tensor in zip(inputs, golden_inputs, strict=True):
        assert torch.equal(tensor, by_name[name])
    if format in ("coreml", "onnx"):  # formats that name their outputs
        assert tuple(port["name"] for port in manifest["ports"]["outputs"]) == outputs
    assert any("training mode" in note for note in manifest["notes"])


def test_the_folder_is_verified_and_measured_without_the_module(
    exports: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    result = exported(exports, "dict", "onnx")
    assert edgevit.verify(result).passed
    session = edgevit.profile(result, rounds=2, warmup=1, store=None)
    assert session.figures[0].value
    folder = str(result.directory)
    assert main(["verify", folder]) == 0
    assert main(["report", folder, "--quiet"]) == 0
    assert main(["verify", folder]) == 0
    assert main(["profile", folder, "--eager", "--no-store", "--rounds", "2"]) not in (0, 70)
    assert "not at hand" in capsys.readouterr().err


@pytest.mark.parametrize("case", CASES)
def test_the_snippet_repeats_the_export(
    case: str, exports: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = exported(exports, case, "onnx")
    snippet = result.manifest["command"]
    compile(snippet, "snippet", "exec")
    monkeypatch.chdir(result.directory)
    there = snippet.replace("model = ...", "# model = ...").replace("edgevit.export(", "again = edgevit.export(")  # fmt: skip
    names = {"model": exports[case], "output": tmp_path / "again"}
    exec(there.replace("\n)", "\n    output=output,\n)"), names)
    again = names["again"]
    assert isinstance(again, edgevit.ExportResult)
    assert again.artifact.read_bytes() == result.artifact.read_bytes()


def test_formats_are_exported_together_or_one_is(tmp_path: Path) -> None:
    results = edgevit.export(
        OneInput(), X, target="linux-x86", formats=["onnx"], output=tmp_path / "o"
    )
    assert list(results) == ["onnx"] and len(results) == 1 and "onnx" in results
    assert results["onnx"].directory == tmp_path / "o" / "onnx"
    with pytest.raises(KeyError):
        results["tflite"]
    for wrong in ({"format": "onnx", "formats": ["onnx"]}, {"formats": []}, {"formats": "onnx"}):
        with pytest.raises(edgevit.EdgevitError) as caught:
            edgevit.export(OneInput(), X, target="linux-x86", **wrong)  # type: ignore[call-overload]
        assert caught.value.why and caught.value.hint


def test_an_error_of_one_format_is_its_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise edgevit.EdgevitError("no such <thing>")

    monkeypatch.setattr("edgevit.backends.onnx.backend.lower", refuse)
    formats = ["onnx", "executorch"]
    results = edgevit.export(OneInput(), X, target="linux-x86", formats=formats, output=tmp_path)
    assert not results.passed
    assert list(results.exported) == ["executorch"] and list(results.errors) == ["onnx"]
    with pytest.raises(edgevit.EdgevitError, match="no such <thing>"):
        results["onnx"]
    assert "no such <thing>" in repr(results)
    assert "no such &lt;thing&gt;" in results._repr_html_()


def test_firmware_from_a_live_module(tmp_path: Path) -> None:
    result = edgevit.export(
        OneInput(), X, target="qemu-m4", output=tmp_path / "f",
        backend_options=FirmwareOptions(optimize="ram"),
        calibration=edgevit.CalibrationOptions(observer="min-max"),
    )  # fmt: skip
    assert result.passed
    assert "from edgevit.backends.mcu import FirmwareOptions" in result.manifest["command"]
    assert "FirmwareOptions(optimize='ram')" in result.manifest["command"]
    assert "CalibrationOptions(observer='min-max')" in result.manifest["command"]


def test_a_spec_with_inputs_of_the_callers(tmp_path: Path) -> None:
    x = torch.zeros(1, 3, 32, 32)
    result = edgevit.export(
        "zoo:vit-i32-p8-d24-h2-l1", x, target="linux-x86", format="onnx", output=tmp_path / "o"
    )
    assert result.passed and not load_golden(result.directory)[0][0].any()
    assert "model = 'zoo:vit-i32-p8-d24-h2-l1'" in result.manifest["command"]


def test_in_inference_mode_and_with_other_defaults(tmp_path: Path) -> None:
    module = OneInput().eval()
    rng = torch.get_rng_state()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode():
            result = edgevit.export(
                module, X, target="linux-x86", format="onnx", output=tmp_path / "o"
            )
    finally:
        torch.set_default_dtype(torch.float32)
    assert result.passed and torch.equal(torch.get_rng_state(), rng)
