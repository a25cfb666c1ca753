"""A folder full of modules called like those that we import: none of them runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgevit.export.isolated import export_apart
from edgevit.support.python import import_path

BIN = Path(sys.executable).parent
NET = """\
import torch


def build():
    return torch.nn.Conv2d(3, 4, 3).eval(), (torch.zeros(1, 3, 8, 8),)
"""
LIBRARIES = [
    "numpy",
    "onnx",
    "onnxruntime",
    "safetensors",
    "torch",
    "yaml",
    "sympy",
    "packaging",
    "ml_dtypes",
    "google",
    "flatbuffers",
]
# Python takes these before any code of ours runs; with an empty entry in PYTHONPATH, from the current directory.
AT_START = {"edgevit", "encodings", "sitecustomize", "usercustomize"}


def taken_by(module: str) -> set[str]:
    """Return the modules that come with one that is imported before any code of ours runs."""
    words = [sys.executable, "-c", f"import {module}, sys; print(*sys.modules)"]
    return {name.partition(".")[0] for name in subprocess.check_output(words, text=True).split()}


def taken_first(start: list[str], path: str | None) -> set[str]:
    """Return the modules that are taken from the current directory before any code of ours runs."""
    if start[1:] == ["-m", "edgevit"]:  # unless it is `python -P -m`
        return AT_START | taken_by("runpy")
    return AT_START | (taken_by("re") if path else set())  # by the script that pip writes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported folder, in which every name of the standard library and of ours is taken."""
    root = tmp_path_factory.mktemp("shadows")
    (root / "net.py").write_text(NET)
    folder = root / "export"
    words = ["--target", "linux-x86", "--format", "onnx", "-o", str(folder)]
    export_apart([f"{root / 'net.py'}:build", *words])
    for name in {*sys.stdlib_module_names, *LIBRARIES, "_elementtree", "edgevit_user_net"}:
        shadow = f"open({str(root / 'ran')!r}, 'a').write({name + chr(10)!r})\n"
        (folder / f"{name}.py").write_text(shadow)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "path"),
    [
        ([str(BIN / "edgevit")], None),
        ([sys.executable, "-m", "edgevit"], None),
        pytest.param([sys.executable, "-P", "-m", "edgevit"], None, marks=pytest.mark.long),
        pytest.param([str(BIN / "edgevit")], "", marks=pytest.mark.long),
        pytest.param([str(BIN / "edgevit")], os.pathsep, marks=pytest.mark.long),
        ([str(BIN / "edgevit")], f".{os.pathsep}/nowhere"),
    ],
    ids=["command", "module", "safe module", "empty path", "empty entries", "relative entry"],
)
def test_nothing_in_the_current_directory_is_imported(
    start: list[str], path: str | None, folder: Path, tmp_path: Path
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = path
    ran = folder.parent / "ran"
    folder = Path(shutil.copytree(folder, tmp_path / "export"))
    for name in taken_first(start, path):
        (folder / f"{name}.py").unlink(missing_ok=True)
    ran.unlink(missing_ok=True)
    done = subprocess.run(
        [*start, "verify", "."], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert not ran.exists(), ran.read_text()
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 12}  # strangers in the folder may be refused


def test_a_path_that_is_named_whole_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "lib", *sys.path])
    monkeypatch.setenv("PYTHONPATH", f"{os.pathsep}lib")
    assert not {"", "lib", str(tmp_path)} & set(import_path())
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert str(tmp_path) in import_path()


def test_our_own_package_is_always_found(monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(Path(__file__).parent.parent.parent)
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", [""])
    assert import_path() == [root]
