"""The user's own code: what it prints, how it ends, what it imports and which words it reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.frontend.resolve import resolve
from edgevit.support.stdout import only_answers
from edgevit.support.terminal import show

NET = """\
import atexit, ctypes, os, sys
import torch
{first}

def say(when):
    print(when)
    print(when, file=sys.__stdout__)
    os.write(1, when.encode())
    ctypes.CDLL(None).puts(when.encode())
    os.system("echo " + when)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        {built}

    def forward(self, x):
        {run}
        return self.conv(x)


def build():
    return Net().eval(), (torch.zeros(1, 3, 8, 8),)
"""


def net(folder: Path, first: str = "", built: str = "pass", run: str = "pass") -> str:
    path = folder / "net.py"
    path.write_text(NET.format(first=first, built=built, run=run))
    return f"{path}:build"


def test_what_a_model_prints_is_not_in_the_answer(tmp_path: Path) -> None:
    spec = net(
        tmp_path,
        "atexit.register(lambda: say('at the end'))",
        "say('while built')",
        "say('while run')",
    )
    words = [sys.executable, "-m", "edgevit", "inspect", spec, "--json", "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert json.loads(done.stdout)
    for when in ("while built", "while run", "at the end"):
        assert done.stderr.count(when) >= 5


def test_the_answer_comes_through_a_replaced_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with only_answers():
        print("printed")
        show("the answer")
    assert capsys.readouterr() == ("the answer\n", "printed\n")


@pytest.mark.parametrize(
    "place",
    [{"first": "sys.exit()"}, {"built": "sys.exit(0)"}, {"run": "raise SystemExit"}],
    ids=["imported", "built", "run"],
)
def test_code_that_ends_the_program_is_told_by_its_line(
    place: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", net(tmp_path, **place), "--quiet"]) == 3
    said = capsys.readouterr().err
    line = next(k for k, t in enumerate((tmp_path / "net.py").read_text().splitlines(), 1) if next(iter(place.values())) in t)  # fmt: skip
    assert f"net.py:{line}" in said
    assert "sys.exit" in said or "SystemExit" in said


def test_code_that_ends_the_program_at_its_third_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = "runs = []"
    spec = net(tmp_path, first, run="runs.append(0) if len(runs) < 2 else sys.exit(0)")
    code = main(["export", spec, "--target", "linux-x86", "-o", str(tmp_path / "out"), "--quiet"])
    assert code == 3
    assert "net.py:20" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_is_read_as_it_is_now(tmp_path: Path) -> None:
    """Python's own cache takes a file of the same second and length for the same."""
    path = tmp_path / "net.py"
    for factor in (3.0, 5.0):
        path.write_text(f"import torch\n\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return {factor} * x\n\ndef build():\n    return Net(), (torch.ones(1, 2),)\n")  # fmt: skip
        os.utime(path, (1e9, 1e9))
        source = resolve(f"{path}:build")
        assert source.module(*source.inputs).tolist() == [[factor] * 2]
    assert [one.name for one in tmp_path.iterdir()] == ["net.py"]


def test_code_finds_an_empty_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = (
        "import argparse; p = argparse.ArgumentParser(); p.add_argument('--json'); p.parse_args()"
    )
    assert main(["inspect", net(tmp_path, first), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)
    first = "import argparse; p = argparse.ArgumentParser(); p.add_argument('must'); p.parse_args()"
    assert main(["inspect", net(tmp_path, first), "--quiet"]) == 3
    assert "net.py:3" in capsys.readouterr().err


@pytest.mark.parametrize("name", [pytest.param("timm", marks=pytest.mark.long), "torchvision"])
def test_a_file_of_ones_own_may_import_what_needs_torchvision(name: str, tmp_path: Path) -> None:
    if name == "torchvision":
        pytest.importorskip("importlib.metadata").version(name)
    words = [sys.executable, "-m", "edgevit", "inspect", net(tmp_path, f"import {name}"), "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_torchvision_is_not_imported_for_who_does_not(tmp_path: Path) -> None:
    first = "assert 'torchvision' not in sys.modules"
    words = [sys.executable, "-m", "edgevit", "inspect", net(tmp_path, first), "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
