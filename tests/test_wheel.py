"""The wheel works outside the checkout: built, installed into a clean environment, used from another folder."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests import ROOT

INSTALL = re.compile(r"^    (pip install (?:torch|'edgevit)[^#\n]*?) *(?:#.*)?$", re.M)


def run(*words: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(w) for w in words], capture_output=True, text=True, check=False, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def built(folder: Path) -> Path:
    run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT),
        cwd=ROOT,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.mark.slow
def test_the_wheel_exports_from_another_folder(tmp_path: Path) -> None:
    wheel = built(tmp_path)
    names = zipfile.ZipFile(wheel).namelist()
    assert "edgevit/_data/targets/apple/iphone-12.toml" in names
    assert "edgevit/py.typed" in names
    assert "edgevit/_data/examples/plugin/pyproject.toml" in names
    assert not [n for n in names if n.startswith(("tests/", "targets/", "benchmarks/"))]

    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    # The libraries it depends on are gigabytes: they are lent from this environment, edgevit itself is not.
    purelib = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path
    ).strip()
    Path(purelib, "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = run(python, "-c", "import edgevit; print(edgevit.__file__)", cwd=elsewhere).strip()
    assert Path(where).is_relative_to(tmp_path / "venv")
    (elsewhere / "net.py").write_text((ROOT / "examples" / "tiny_hybrid.py").read_text())
    command = tmp_path / "venv" / "bin" / "edgevit"
    printed = run(
        command, "export", "net.py:build", "--target", "iphone", "--json", "--quiet", cwd=elsewhere
    )
    assert json.loads(printed)["passed"]
    for other in _other_pythons():  # with none of the libraries: what answers without them
        words = (other, "-P", "-W", "error", "-m", "edgevit")
        site = {"PYTHONPATH": purelib, "HOME": str(tmp_path)}
        for line in (["targets", "iphone-17"], ["new", "plugin", f"py{other.parts[-3]}".replace(".", "-")]):  # fmt: skip
            done = subprocess.run([*words, *line], capture_output=True, text=True, cwd=elsewhere, env=site)  # fmt: skip
            assert done.returncode == 0, f"{other}: {done.stderr}"


def _other_pythons() -> list[Path]:
    """Return interpreters of the newer versions that we say to run on, where they are."""
    roots = [Path("/usr/bin"), Path("/usr/local/bin"), *Path.home().glob(".pyenv/versions/3.1[23]*/bin")]  # fmt: skip
    return [path for root in roots for path in sorted(root.glob("python3.1[23]"))]


@pytest.mark.long
@pytest.mark.parametrize("python", [Path(sys.executable), *_other_pythons()], ids=str)
def test_the_install_lines_of_the_readme(python: Path, tmp_path: Path) -> None:
    """Without constraints, and with the wheel in the place of the name that an index would know."""
    lines = INSTALL.findall((ROOT / "README.md").read_text())
    assert [line.split()[2] for line in lines] == ["torch", "'edgevit[coreml,zoo]'"]
    wheel = built(tmp_path)
    run(python, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    programs = tmp_path / "venv" / "bin"
    for line in lines:
        words = shlex.split(line.replace("edgevit[", f"{wheel}["))
        if "--index-url" in words and not answers(words[-1]):
            words = words[:-2]  # the default index has a torch for this machine too, of gigabytes
        run(programs / "python", "-m", *words, cwd=tmp_path)
    run(programs / "python", "-m", "pip", "check", cwd=tmp_path)
    words = ("export", "zoo:vit-i32-p8-d24-h2-l1", "--target", "iphone", "--json", "--quiet")
    assert json.loads(run(programs / "edgevit", *words, cwd=tmp_path))["passed"]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=20):
            return True
    except OSError:
        return False
