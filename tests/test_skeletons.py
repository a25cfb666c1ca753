"""The skeletons in the pages `docs/adding-a-*.md`, copied as they stand. (A kernel's: tests/backends/mcu/.)"""

from __future__ import annotations

import importlib
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.rewrites import arithmetic
from edgevit.targets import Target, describe, load_target
from tests import ROOT

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return [code for kind, code in _BLOCK.findall(text) if kind == language]


def test_the_rule_passes_its_own_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, test = blocks("adding-a-rule.md", "python")
    (tmp_path / "drop_sign.py").write_text(rule)
    (tmp_path / "test_drop_sign.py").write_text(test)
    monkeypatch.setattr(arithmetic, "__path__", [*arithmetic.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    tests = runpy.run_path(str(tmp_path / "test_drop_sign.py"))
    functions: list[Callable[[], None]] = [
        tests[name] for name in tests if name.startswith("test_")
    ]
    assert len(functions) == 3
    for function in functions:
        function()


@pytest.mark.parametrize("index", [0, 1])
def test_the_target_is_read_and_every_fact_has_a_source(tmp_path: Path, index: int) -> None:
    page = blocks("adding-a-target.md", "toml")
    assert len(page) == 2
    path = tmp_path / "mine.toml"
    path.write_text(page[index])
    target = load_target(str(path))
    assert isinstance(target, Target)
    for source in tomllib.loads(page[index])["source"].values():
        assert source in describe(target)


def distribution(folder: Path) -> Path:
    """Write a plugin by `edgevit new`, as it lies when it is installed."""
    assert main(["new", "plugin", "my-own", "-o", str(folder)]) == 0
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / "edgevit_my_own-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n"
    )
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {place}" for name, place in points.items())])
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    return folder


def test_the_backend_exports_under_its_new_names(tmp_path: Path) -> None:
    site = distribution(tmp_path / "site")
    words = [
        "export",
        "my-own:8",
        "--target",
        "my-own-board",
        "-o",
        str(tmp_path / "out"),
        "--json",
    ]
    run = subprocess.run(
        [sys.executable, "-m", "edgevit", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    manifest = json.loads(run.stdout)
    assert manifest["passed"] and manifest["format"] == "my-own"
    assert (tmp_path / "out" / manifest["artifact"]).suffix == ".my-own"


def test_new_targets_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board, phone = tmp_path / "board.toml", tmp_path / "phone.toml"
    assert main(["new", "target", "my-board2", "-o", str(board)]) == 0
    assert f"edgevit targets {board}" in capsys.readouterr().out
    assert load_target(str(board)).name == "my-board2"
    assert (
        main(["new", "target", "my-phone", "--like", "iphone-13", "-o", str(phone), "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["files"] == [str(phone)]
    assert load_target(str(phone)).soc == load_target("iphone-13").soc
    page = blocks("adding-a-target.md", "toml")[1]
    assert page == (ROOT / "examples" / "board.toml").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["target", "pixel-8"], 2, "is a target already"),
        (["target", "My Board"], 2, "is no name"),
        (["target", "a", "--like", "iphon-13"], 7, "iphone-13"),
        (["plugin", "a", "--like", "iphone-13"], 2, "--like is for targets"),
        (["plugin", "a", "-o", "."], 11, "is there already"),
    ],
)
def test_new_refuses(
    words: list[str], code: int, said: str, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", *words]) == code
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
