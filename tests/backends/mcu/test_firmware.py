"""Firmware as its users meet it: `export`, `run`, `simulate`, `verify`, and what goes wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgevit.backends.mcu.options import FirmwareOptions
from edgevit.cli.main import main
from edgevit.errors import EdgevitError
from edgevit.export.api import export
from edgevit.export.result import ExportResult
from edgevit.quantize.options import GENERATED, CalibrationOptions

TINY = "zoo:vit-i32-p8-d24-h2-l1"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("firmware") / "tiny"
    assert export(TINY, target="qemu-m4", output=folder).passed
    return folder


def ran(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_run_says_what_it_costs(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ran(["run", str(exported)], capsys)
    assert found["core"] == "m4" and found["golden_match"] is True
    assert found["toolchain"].startswith("zig") and "unicorn" in found["emulator"].lower()
    layers = {layer["name"]: layer["instructions"] for layer in found["per_layer"]}
    assert 0.9 * found["instructions"] < sum(layers.values()) <= found["instructions"]
    slow = {layer["name"]: layer["slow_because"] for layer in found["per_layer"] if layer["slow"]}
    assert list(slow.values()) == ["24 products a value, 1 position a call"]
    memory = found["memory"]
    assert memory["ram_bytes"] >= memory["arena_bytes"] + memory["stack_bytes"] > 0
    assert memory["flash_bytes"] > 24 * 24 * 12  # the weights at least


@pytest.mark.parametrize(("core", "tool"), [("m0plus", "zig"), ("rv32", "gcc"), ("m7", "gcc"), ("m55", "zig")])  # fmt: skip
def test_other_cores_compute_the_same(
    exported: Path, core: str, tool: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ran(["run", str(exported), "--core", core, "--toolchain", tool], capsys)
    assert found["core"] == core and found["golden_match"] is True


def test_simulate_takes_an_input(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ran(["simulate", str(exported)], capsys)["outputs"][0]
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 32))
    np.save(tmp_path / "image.npy", image)
    other = ran(["simulate", str(exported), "--input", str(tmp_path / "image.npy")], capsys)
    assert np.shape(usual) == (1, 10) and other["outputs"][0] != usual
    for normalised, why in (image / 255 - 0.5, "between -0.5 and"), (image / 255, "fractions"):
        np.save(tmp_path / "image.npy", normalised)
        assert main(["simulate", str(exported), "--input", str(tmp_path / "image.npy")]) == 2
        said = capsys.readouterr().err
        assert "takes pixels of 0 to 255" in said and why in said


def test_a_model_whose_preprocessing_is_known_takes_pixels(exported: Path, tmp_path: Path) -> None:
    def entry(folder: Path) -> tuple[dict, str]:
        manifest = json.loads((folder / "edgevit.json").read_text())
        return manifest["ports"]["inputs"][0], manifest["command"]

    port, command = entry(exported)
    assert (port["scale"], port["zero"]) == (1.0, -128) and "--image-input" in command
    assert "pixel - 128" in (exported / "firmware" / "README.md").read_text()
    assert main(["export", TINY, "--target", "qemu-m4", "--no-image-input", "-o", str(tmp_path / "n")]) == 0  # fmt: skip
    port, command = entry(tmp_path / "n")
    assert port["scale"] < 0.1 and "--no-image-input" in command


def test_the_folder_says_what_was_done(exported: Path) -> None:
    manifest = json.loads((exported / "edgevit.json").read_text())
    assert manifest["firmware"]["core"] == "m4"
    stages = ["integers", "integers, worst picture", "integers, example"]
    assert [p["stage"] for p in manifest["parity"]] == ["rewritten", *stages, "firmware"]
    assert "bit" not in manifest["notes"] and manifest["passed"]
    code = "".join(path.read_text() for path in (exported / "firmware").rglob("*.c"))
    for word in ("float", "double", "malloc", "printf"):
        assert word not in code


@pytest.mark.parametrize("file", ["firmware/edgevit_model.c", "model.integer.safetensors"])
def test_what_was_changed_is_refused(
    exported: Path, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(exported, folder)
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / file).write_bytes(bytes(data))
    for command in ("run", "verify", "simulate"):
        assert main([command, str(folder)]) == 12
        assert file in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--core", "m9"], "no core is called `m9`"),
        (["--toolchain", "icc"], "no toolchain is called `icc`"),
        (["--core", "m55", "--emulator", "unicorn"], "m55"),
    ],
)
def test_words_that_are_not_known(
    exported: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(exported), *words]) != 0
    assert said.lower() in capsys.readouterr().err.lower()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (CalibrationOptions(calibrate="nowhere"), "no such file"),
        (CalibrationOptions(observer="median"), "no observer `median`"),
        (FirmwareOptions(residual="int32"), "no residual `int32`"),
        (FirmwareOptions(max_ram=100), "100"),
        (FirmwareOptions(optimize="size"), "size"),
    ],
)
def test_wishes_that_cannot_be_met(
    options: FirmwareOptions | CalibrationOptions, said: str, tmp_path: Path
) -> None:
    firmware = isinstance(options, FirmwareOptions)
    with pytest.raises(EdgevitError) as caught:
        export(
            TINY,
            target="qemu-m4",
            output=tmp_path / "out",
            backend_options=options if firmware else None,
            calibration=GENERATED if firmware else options,
        )
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_image_set_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "pictures"
    empty.mkdir()
    wish = CalibrationOptions(calibrate=str(empty))
    with pytest.raises(EdgevitError, match="no pictures"):
        export(TINY, target="qemu-m4", output=tmp_path / "out", calibration=wish)


@pytest.mark.parametrize("optimize", ["ram", "speed"])
def test_plans_trade_memory_for_work(optimize: str, exported: Path, tmp_path: Path) -> None:
    wish = FirmwareOptions(optimize=optimize)
    result: ExportResult = export(
        TINY, target="qemu-m4", output=tmp_path / "o", backend_options=wish
    )
    assert result.passed
    usual = json.loads((exported / "edgevit.json").read_text())["firmware"]["arena_bytes"]
    found = result.manifest["firmware"]["arena_bytes"]  # type: ignore[index]
    assert found <= usual if optimize == "ram" else found >= usual


def test_every_file_of_a_bundle_names_its_licence(exported: Path) -> None:
    bundle = exported / "firmware"
    assert "Apache License" in (bundle / "LICENSE").read_text()
    assert "under the Apache License 2.0" in (bundle / "README.md").read_text()
    sources = [p for p in bundle.rglob("*") if p.is_file() and p.suffix not in {".json", ".properties", ".svg", ".png"} and p.name != "LICENSE"]  # fmt: skip
    assert len(sources) > 20
    without = [
        p.name for p in sources if "SPDX-License-Identifier: Apache-2.0" not in p.read_text()
    ]
    assert without == []


def test_a_failed_gate_names_values_and_lines(tmp_path: Path) -> None:
    (tmp_path / "faint.py").write_text(
        "import torch\n"
        "class Faint(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        y = torch.cat((x.sigmoid() * 1e-6, x), 1).flatten(2)\n"
        "        return (y @ y.transpose(1, 2))[:, :3, :3] * 1e12\n"
    )
    spec = f"{tmp_path / 'faint.py'}:Faint"
    result = export(spec, target="qemu-m4", output=tmp_path / "out", input_size=8)
    integers = next(parity for parity in result.parity if parity.stage == "integers")
    assert not integers.passed
    (lost,) = (note for note in integers.notes if "the signal is lost at" in note)
    assert "faint.py:4" in lost
    assert any("least signal to noise" in note for note in integers.notes)
