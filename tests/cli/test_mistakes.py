"""Mistakes that people make on the command line: refused before a model is built, with the way out."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.errors import MissingToolError, UsageError
from edgevit.export import output_folder
from edgevit.frontend.resolve import resolve
from edgevit.support import doctor
from edgevit.targets import load_target

NET = """\
from pathlib import Path

import torch

BUILT = Path(__file__).with_name("built")


def build():
    BUILT.touch()
    return torch.nn.Conv2d(3, 4, 3), (torch.zeros(1, 3, 8, 8),)
"""
WIDE = """\
import torch


def build():
    return torch.nn.Linear({width}, {width}), (torch.zeros(1, {width}),)
"""
ROWS = [
    tuple(row.split(" => "))
    for row in (Path(__file__).parent / "mistakes.txt").read_text().splitlines()
    if row and not row.startswith("#")
]
ALIASES = {
    "ios": "iphone-12",
    "samsung": "galaxy-a54",
    "galaxy": "galaxy-a54",
    "pixel": "pixel-6",
    "rpi": "raspberry-pi-4",
    "raspberry-pi": "raspberry-pi-4",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "labels.txt").write_text("a\nb\n")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_a_hundred() -> None:
    assert len({command for command, _ in ROWS}) >= 100


@pytest.mark.parametrize(("command", "piece"), ROWS, ids=[command for command, _ in ROWS])
def test_a_mistake_is_answered_before_the_model_is_built(
    command: str, piece: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(shlex.split(command))
    answer = capsys.readouterr().err
    assert code not in (0, 1, 70), answer
    assert piece in answer
    assert "  try    " in answer
    assert not (folder / "built").exists()


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_what_people_call_a_device_is_its_alias(alias: str, name: str) -> None:
    assert load_target(alias).name == name


def test_without_words_it_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "COMMAND" in capsys.readouterr().out


def test_a_converter_that_is_not_installed_is_missed_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "_version", lambda library: None)
    assert main(["export", "net.py:build", "--target", "iphone"]) == MissingToolError.exit_code
    assert "pip install 'edgevit[coreml]'" in capsys.readouterr().err
    assert not (folder / "built").exists()


def test_weights_that_fill_the_flash_many_times_are_refused_without_calibration(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both before the capture and, nearer to the limit, before the calibration."""
    for width, stages in ((4096, []), (1200, ["capture the graph"])):
        (folder / "wide.py").write_text(WIDE.format(width=width))
        assert main(["export", "wide.py:build", "--target", "stm32f407"]) == 8
        said = capsys.readouterr().err
        assert "bytes of flash at 8 bits each, and 1,048,576 fit" in said
        assert [stage for stage in stages if stage in said] == stages


def test_a_deviation_of_small_pixels_stays() -> None:
    with pytest.raises(UsageError):
        resolve("zoo:vit-i32-p8-d32-h2-l1", mean=(127.5,), std=(127.5,))
    source = resolve("zoo:vit-i32-p8-d32-h2-l1", mean=(0.0,), std=(1 / 255,))
    assert source.preprocess is not None and source.preprocess.std == (1 / 255,) * 3


def test_two_models_of_one_file_get_two_folders() -> None:
    device = load_target("iphone")
    specs = ("zoo:vit", "zoo:hybrid", "net.py:build", "net.py:other", "timm:net-other.v1", "a.pt2")
    folders = [output_folder(None, spec, device) for spec in specs]
    assert len(set(folders)) == len(specs)
    assert str(folders[2]) == "out/net-iphone-12"
