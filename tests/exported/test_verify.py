"""`edgevit verify`: an exported folder stands for itself, and says so when it no longer does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import edgevit
from edgevit.cli.main import main
from tests import ROOT
from tests.edited import edit

MODEL = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify") / "original"
    edgevit.export(MODEL, target="linux-x86", format="onnx", output=folder)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "exported"))


def test_a_sound_folder_passes_without_the_model(folder: Path, capsys) -> None:
    assert main(["verify", str(folder), "--json"]) == 0
    (verdict,) = json.loads(capsys.readouterr().out)["verdicts"]
    assert verdict["passed"]
    parity, others = verdict["parity"]
    assert others["stage"] == "other inputs" and "bright" in others["inputs"]
    assert (parity["stage"], parity["precision"]) == ("runtime", "fp32")
    assert 0 < parity["rel_l2"] < 1e-5


def test_it_says_so_to_a_person(folder: Path, capsys) -> None:
    assert main(["verify", str(folder)]) == 0
    assert "computes the same thing" in capsys.readouterr().out


def test_core_ml_is_verified_too(tmp_path: Path, capsys) -> None:
    edgevit.export(MODEL, target="iphone", output=tmp_path / "ml")
    assert main(["verify", str(tmp_path / "ml"), "--json"]) == 0
    (verdict,) = json.loads(capsys.readouterr().out)["verdicts"]
    assert [p["precision"] for p in verdict["parity"]] == ["fp16", "fp16"]


def test_all_formats_of_one_export(folder: Path, tmp_path: Path, capsys) -> None:
    both = tmp_path / "both"
    both.mkdir()
    shutil.copytree(folder, both / "a")
    shutil.copytree(folder, both / "b")
    assert main(["verify", str(both), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["verdicts"]) == 2


def test_another_answer_is_exit_code_9(folder: Path, capsys) -> None:
    golden = load_file(folder / "golden.safetensors")
    golden["output.0"] += 0.01 * golden["output.0"].norm()
    save_file(golden, folder / "golden.safetensors")
    edit(folder)
    assert main(["verify", str(folder)]) == 9
    assert "NOT the same" in capsys.readouterr().out


def flip_a_byte(folder: Path) -> None:
    path = folder / "TinyHybrid.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def cut_short(folder: Path) -> None:
    path = folder / "TinyHybrid.onnx"
    path.write_bytes(path.read_bytes()[:1000])
    edit(folder)


def another_input(folder: Path) -> None:
    golden = load_file(folder / "golden.safetensors")
    golden["input.0"] = torch.zeros(1, 3, 32, 32)
    save_file(golden, folder / "golden.safetensors")
    edit(folder)


def edited(**changes: object) -> Callable[[Path], None]:
    return lambda folder: edit(folder, **changes)


def reworded(old: str, new: str) -> Callable[[Path], None]:
    """The text of the manifest, and nothing else."""

    def reword(folder: Path) -> None:
        path = folder / "edgevit.json"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return reword


WRONGS = {
    "a byte flipped": (flip_a_byte, "other content"),
    "cut short": (cut_short, "ONNX Runtime does not take this file"),
    "inputs do not match": (another_input, "it takes x 1x3x64x64 float32"),
    "a file is gone": (lambda f: (f / "golden.safetensors").unlink(), "is missing"),
    "no manifest": (lambda f: (f / "edgevit.json").unlink(), "is not an exported folder"),
    "half a manifest": (lambda f: (f / "edgevit.json").write_text("{"), "cannot be read"),
    "a list": (lambda f: (f / "edgevit.json").write_text("[]"), "cannot be read"),
    "another schema": (edited(schema=7), "schema 7"),
    "an unknown format": (
        edited(format="mlir"),
        "`mlir` is none of browser, coreai, coreml, ethos-u, executorch",
    ),
    "a path outside": (
        edited(artifact="../../etc/passwd"),
        "is not the name of a file in the folder",
    ),
    "nothing in it": (lambda f: (f / "edgevit.json").write_text('{"schema": 1}'), "cannot be read"),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_what_is_not_what_was_exported(wrong: str, folder: Path, capsys) -> None:
    damage, text = WRONGS[wrong]
    damage(folder)
    assert main(["verify", str(folder)]) == 12
    said = capsys.readouterr().err
    assert said.startswith("error[E")
    assert text.split(" ")[0] in said
    assert " ".join(text.split()) in " ".join(said.split()).replace("image 1x3", "x 1x3")
    assert str(folder) in said
    assert "  try " in said


def test_no_such_folder(tmp_path: Path, capsys) -> None:
    assert main(["verify", str(tmp_path / "nowhere")]) == 12
    assert "there is no such folder" in capsys.readouterr().err
