"""Code in a folder runs where the folder was exported, by whom it was exported; elsewhere only with --trust."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import edgevit
from edgevit.cli.main import main
from edgevit.support.own_key import key_path
from tests import ROOT
from tests.edited import edit, manifest_of

TINY = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"
SMALL = "zoo:vit-i32-p8-d24-h2-l1"
REFUSED = "code that another user exported is not run"


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trust") / "mcu"
    edgevit.export(SMALL, target="qemu-m3", output=folder)
    return folder


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tvm")
    folder = tmp_path_factory.mktemp("trust") / "tvm"
    edgevit.export(TINY, target="linux-x86", format="tvm", output=folder)
    return folder


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if another user were here: with a key of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def refused(words: list[str], capsys) -> str:
    assert main(words) == 12
    said = capsys.readouterr().err
    assert REFUSED in said
    assert "--trust" in said
    return said


FIRMWARE_COMMANDS = (
    ["verify"],
    ["run"],
    ["run", "--core", "m4"],
    ["profile", "--on", "emulator", "--quiet", "--no-store"],
    ["check", "--max-ram", "1G", "--quiet"],
)


@pytest.mark.parametrize("words", FIRMWARE_COMMANDS, ids=lambda words: " ".join(words))
def test_firmware_of_somebody_elses_is_not_compiled(
    words: list[str], firmware: Path, strangers: None, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    import edgevit.backends.mcu.run.execute as execution

    monkeypatch.setattr(execution, "link_firmware", lambda *_: pytest.fail("compiled"))
    refused([words[0], str(firmware), *words[1:]], capsys)


LIBRARY_COMMANDS = (
    ["verify"],
    ["profile", "--quiet", "--no-store"],
    ["profile", "--on", "tvm://127.0.0.1:1/none", "--quiet", "--no-store"],
    ["check", "--max-latency", "1s", "--here", "--quiet"],
    ["report", "--profile", "--quiet"],
)


@pytest.mark.parametrize("words", LIBRARY_COMMANDS, ids=lambda words: " ".join(words))
def test_a_library_of_somebody_elses_is_not_opened(
    words: list[str], library: Path, strangers: None, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    from edgevit.backends.worker import Worker

    monkeypatch.setattr(Worker, "open", lambda *_: pytest.fail("opened"))
    refused([words[0], str(library), *words[1:]], capsys)


def test_both_run_for_their_exporter_and_for_who_trusts(
    firmware: Path, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    assert main(["verify", str(firmware), str(library)]) == 0
    moved = Path(shutil.copytree(library, tmp_path / "moved"))
    assert main(["verify", str(moved)]) == 0
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert main(["verify", str(firmware), str(library), "--trust"]) == 0
    assert main(["run", str(firmware), "--trust"]) == 0
    assert main(["check", str(library), "--max-size", "1G"]) == 0  # runs nothing of it
    assert main(["simulate", str(firmware)]) == 0  # numpy runs the integers
    assert REFUSED not in capsys.readouterr().err


@pytest.mark.parametrize("change", ["content", "manifest", "an unsealed manifest", "a forged seal"])
def test_what_was_changed_is_not_ours_any_more(
    change: str, library: Path, tmp_path: Path, capsys
) -> None:
    folder = Path(shutil.copytree(library, tmp_path / "changed"))
    if change == "content":
        (folder / "run.py").write_text("print('other')")
    elif change == "manifest":
        path = folder / "edgevit.json"
        path.write_text(path.read_text().replace('"linux-x86"', '"linux-arm"', 1))
    edit(folder)
    if change == "a forged seal":
        text = (folder / "edgevit.json").read_text()
        seal = manifest_of(library)["seal"]
        (folder / "edgevit.json").write_text(text.replace('"seal": null', f'"seal": "{seal}"'))
        assert main(["verify", str(folder)]) == 12
        assert "not as it was written" in capsys.readouterr().err
        return
    refused(["verify", str(folder)], capsys)


def test_a_report_does_not_make_a_strangers_folder_ours(
    library: Path, tmp_path: Path, capsys
) -> None:
    folder = Path(shutil.copytree(library, tmp_path / "changed"))
    edit(folder)
    assert main(["report", str(folder), "--quiet"]) == 0
    refused(["verify", str(folder)], capsys)
    ours = Path(shutil.copytree(library, tmp_path / "ours"))
    assert main(["report", str(ours), "--quiet"]) == 0
    assert main(["verify", str(ours)]) == 0


def test_a_strangers_model_is_not_built(tmp_path: Path, monkeypatch, capsys) -> None:
    """`--eager` runs the Python that the manifest names."""
    folder = tmp_path / "onnx"
    edgevit.export(TINY, target="linux-x86", format="onnx", output=folder)
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'CANARY')!r}, 'w')")
    edit(folder, model={**manifest_of(folder)["model"], "spec": f"{tmp_path / 'evil.py'}:build"})
    refused(["profile", str(folder), "--eager", "--quiet", "--no-store"], capsys)
    assert not (tmp_path / "CANARY").exists()


def test_the_key_is_secret_and_one_that_others_read_is_none(
    library: Path, strangers: None, tmp_path: Path, capsys
) -> None:
    folder = Path(shutil.copytree(library, tmp_path / "mine"))
    edit(folder, sealed=True)
    assert key_path().stat().st_mode & 0o777 == 0o600
    assert key_path().parent == tmp_path / "config" / "edgevit"
    assert os.listdir(key_path().parent) == ["key"]
    assert main(["verify", str(folder)]) == 0
    key_path().chmod(0o644)
    refused(["verify", str(folder)], capsys)
    assert edit(folder, sealed=True) is None
    assert manifest_of(folder)["seal"] is None


def test_a_home_that_cannot_be_written_still_exports(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    folder = Path(shutil.copytree(library, tmp_path / "mine"))
    edit(folder, sealed=True)
    assert manifest_of(folder)["seal"] is None
    refused(["verify", str(folder)], capsys)
