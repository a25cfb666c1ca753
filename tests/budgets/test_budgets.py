"""`edgevit check`: exit code, text, JSON and JUnit. A figure that nobody has is not within its budget."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

import edgevit
from edgevit.cli.main import main
from edgevit.measure.cache import artifact_hash
from edgevit.measure.store import StoredFigure, open_store
from edgevit.measure.timing import subject_of
from tests import ROOT
from tests.edited import edit, manifest_of

MODEL = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"
OVER = 19


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check") / "here"
    edgevit.export(MODEL, target="linux-x86", format="onnx", output=folder)
    return folder


def found(capsys) -> dict[str, dict]:
    (check,) = json.loads(capsys.readouterr().out)["checks"]
    return {entry["budget"]: entry for entry in check["budgets"]}


def test_within_all_budgets(folder: Path, capsys) -> None:
    words = ["--max-latency", "10s", "--max-size", "1MB", "--min-cosine", "0.999", "--rounds", "2"]
    assert main(["check", str(folder), *words, "--json", "--here"]) == 0
    budgets = found(capsys)
    assert {entry["status"] for entry in budgets.values()} == {"ok"}
    latency = budgets["latency_seconds"]
    assert latency["kind"] == "measured" and 0 < latency["found"] < latency["limit"] == 10
    (artifact,) = folder.glob("*.onnx")
    assert budgets["size_bytes"]["found"] == artifact.stat().st_size


def test_a_byte_too_many(folder: Path, tmp_path: Path, capsys) -> None:
    (artifact,) = folder.glob("*.onnx")
    size, report = artifact.stat().st_size, tmp_path / "junit.xml"
    assert main(["check", str(folder), "--max-size", str(size)]) == 0
    assert main(["check", str(folder), "--max-size", str(size - 1), "--junit", str(report)]) == OVER
    assert "NOT within budget" in capsys.readouterr().out
    (suite,) = ElementTree.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    (failed,) = [case for case in suite if case.find("failure") is not None]
    assert failed.get("name") == "size"
    assert f"{size:,} bytes of {size - 1:,} bytes" in (failed[0].text or "")


def test_latency_and_cosine_out_of_reach(folder: Path, capsys) -> None:
    words = ["--max-latency", "1us", "--min-cosine", "1", "--rounds", "2", "--here", "--json"]
    assert main(["check", str(folder), *words]) == OVER
    budgets = found(capsys)
    assert budgets["latency_seconds"]["status"] == "over"
    assert budgets["min_cosine"]["status"] == "under"


def test_what_is_not_known_fails_and_says_what_would_tell(folder: Path, capsys) -> None:
    assert main(["check", str(folder), "--max-ram", "1G", "--json"]) == OVER
    ram = found(capsys)["ram_bytes"]
    assert (ram["status"], ram["found"], ram["kind"]) == ("unknown", None, None)
    assert "microcontroller" in ram["how"]


def test_this_machine_is_no_phone(folder: Path, tmp_path: Path, capsys) -> None:
    for target in ("pixel-8", "raspberry-pi-5", "gone.toml"):
        other = Path(shutil.copytree(folder, tmp_path / target))
        edit(other, target=target)
        assert main(["check", str(other), "--max-latency", "10s"]) == OVER
        assert f"this machine is no {target}" in capsys.readouterr().out


def test_a_figure_of_another_device_from_the_store(folder: Path, tmp_path: Path, capsys) -> None:
    """Of the same bytes, on a device that is not this machine; the newest counts."""
    other = Path(shutil.copytree(folder, tmp_path / "phone"))
    manifest = manifest_of(other)
    edit(other, target="pixel-8")
    subject = subject_of(other)
    device = {"cpu": "Tensor G3", "address": "adb:1"}

    def kept(seconds: float, address: str, artifact: str) -> StoredFigure:
        place = {**device, "address": address}
        return StoredFigure("k", "s", 0, "2026-01-01", "n", manifest["model"]["spec"], "pixel-8", "onnx", "fp32", artifact,
                   place, {}, "measured", "seconds", seconds, (seconds,), {})  # fmt: skip

    mine = artifact_hash(subject)
    with open_store() as store:
        store.add([kept(0.001, "adb:1", "other bytes"), kept(0.009, "adb:1", mine)])
        store.add([kept(0.004, "adb:1", mine), kept(0.002, "local", mine)])
    assert main(["check", str(other), "--max-latency", "5ms", "--json"]) == 0
    latency = found(capsys)["latency_seconds"]
    assert latency["found"] == 0.004 and latency["kind"] == "measured"
    assert "adb:1: Tensor G3" in latency["how"]
    assert main(["check", str(other), "--max-latency", "3ms"]) == OVER


def test_firmware_by_the_emulator(tmp_path: Path, capsys) -> None:
    made = edgevit.export("zoo:vit-i32-p8-d24-h2-l1", target="qemu-m3", output=tmp_path / "f")
    words = ["check", str(made.directory), "--json"]
    within = ["--max-ram", "20K", "--max-flash", "1M", "--max-instructions", "5M"]
    assert main([*words, *within]) == 0
    entries = found(capsys)
    assert {entries[name]["kind"] for name in ("ram_bytes", "flash_bytes", "instructions")} == {"emulated"}  # fmt: skip
    count = int(entries["instructions"]["found"])
    assert main([*words, "--max-instructions", str(count - 1)]) == OVER
    assert found(capsys)["instructions"]["status"] == "over"
    assert main([*words, "--max-latency", "1s", "--max-size", "1G"]) == OVER
    statuses = {name: entry["status"] for name, entry in found(capsys).items()}
    assert statuses["latency_seconds"] == statuses["size_bytes"] == "unknown"


def test_a_folder_that_failed_parity_is_within_nothing(
    folder: Path, tmp_path: Path, capsys
) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "failed"))
    parity = [{**entry, "passed": False} for entry in manifest_of(other)["parity"]]
    edit(other, parity=parity, passed=False)
    assert main(["check", str(other), "--max-size", "1G", "--json"]) == OVER
    assert found(capsys)["parity"]["status"] == "under"


@pytest.mark.parametrize(
    "words",
    [[], ["--max-latency", "5"], ["--max-size", "-3"], ["--max-ram", "0"], ["--min-cosine", "2"], ["--max-size", "4XB"]],
)  # fmt: skip
def test_words_that_make_no_sense(words: list[str], folder: Path, capsys) -> None:
    assert main(["check", str(folder), *words]) == 2
    assert capsys.readouterr().err.startswith("error[E")


def test_a_damaged_folder_is_not_checked(folder: Path, tmp_path: Path) -> None:
    assert main(["check", str(tmp_path), "--max-size", "1M"]) == 12
