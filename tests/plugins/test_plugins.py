"""A distribution adds a backend, a frontend, a rule, a runner and a target, with no edit in edgevit."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import ROOT

SAMPLE = ROOT / "examples" / "plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample distribution, installed."""
    folder = tmp_path_factory.mktemp("site")
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *words, str(SAMPLE)], check=True)
    return folder


def edgevit(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", "edgevit", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )


def said(site: Path, *words: str) -> dict:
    run = edgevit(site, *words, "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


NOTE = 'for "us" -- $1'


@pytest.fixture(scope="module")
def exported(site: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("out") / "sample"
    words = ["export", "sample:8", "--target", "sample-board", "-o", str(folder)]
    return said(site, *words, "--pt2-note", NOTE)


def test_its_backend_is_exported_to_and_verified(site: Path, exported: dict) -> None:
    assert exported["passed"]
    assert exported["format"] == "pt2"
    fired = {rule["rule"]: rule["fired"] for rule in exported["rewrites"]}
    assert fired["merge-absolutes"] == 1
    assert said(site, "verify", exported["directory"])["verdicts"][0]["passed"]


def note_in(folder: str, manifest: dict) -> str:
    with zipfile.ZipFile(Path(folder) / manifest["artifact"]) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/note.txt"))
        return archive.read(name).decode()


def test_its_backend_has_an_option_of_its_own(site: Path, exported: dict, tmp_path: Path) -> None:
    assert note_in(exported["directory"], exported) == NOTE
    words = shlex.split(exported["command"])
    assert words[-2:] == ["--pt2-note", NOTE]
    again = said(site, *words[1:], "-o", str(tmp_path / "again"))
    assert note_in(again["directory"], again) == NOTE
    assert "--pt2-note TEXT" in edgevit(site, "export", "--help").stdout


PLAN = """
schema = 1
model = "sample:8"
target = "sample-board"
verdict = ""
artifact_choices = {format = "pt2", precision = "fp32", lossy = [], threads = 0}
made_with = {graph = "", convert_threads = 1, pt2 = {pt2_note = "planned"}}
"""


def test_its_option_is_read_from_a_plan(site: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    words = ["export", "sample:8", "--target", "sample-board", "-o", str(tmp_path / "out")]
    words += ["--plan", str(tmp_path / "plan.toml")]
    planned = said(site, *words)
    assert note_in(planned["directory"], planned) == "planned"
    both = edgevit(site, *words, "--pt2-note", "x")
    assert both.returncode == 2
    assert "--pt2-note and --plan both say" in both.stderr
    (tmp_path / "plan.toml").write_text(PLAN.replace('"planned"', "3"))
    assert "made_with.pt2.pt2_note" in edgevit(site, *words).stderr


def test_its_option_is_refused_for_another_format(site: Path) -> None:
    words = ["export", "sample:8", "--target", "linux-x86", "--format", "onnx"]
    run = edgevit(site, *words, "--pt2-note", "x")
    assert run.returncode == 2
    assert "--pt2-note does not apply to onnx" in run.stderr
    assert "PyTorch's exported program" in run.stderr


def test_its_runner_times_its_artifact(site: Path, exported: dict) -> None:
    report = said(
        site, "profile", exported["directory"], "--on", "sample", "--rounds", "2", "--no-store"
    )
    assert "sample8" in json.dumps(report)


def test_it_is_listed(site: Path) -> None:
    plugins = {entry["group"] for entry in said(site, "doctor")["plugins"]}
    assert plugins == {
        f"edgevit.{group}" for group in ("backends", "frontends", "rules", "runners", "targets")
    }
    names = {target["name"] for target in said(site, "targets")["targets"]}
    assert "sample-board" in names


def distribution(folder: Path, points: str, code: str = "") -> Path:
    """Write an installed distribution with these entry points."""
    info = folder / "other-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)
    (folder / "other.py").write_text(code)
    return folder


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    site = distribution(tmp_path, "[edgevit.backends]\nonnx = other:INFO\n")
    run = edgevit(site, "targets")
    assert run.returncode == 21
    assert "the name `onnx` is taken" in run.stderr
    assert "other 1.0" in run.stderr


def test_an_entry_point_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    site = distribution(tmp_path, "[edgevit.targets]\nboards = other:MISSING\n")
    run = edgevit(site, "targets")
    assert run.returncode == 21
    assert "`other:MISSING` cannot be imported" in run.stderr


RULE = """
from typing import ClassVar
from edgevit.graph.aten import kind
from edgevit.rewrites.foreign import RuleSet
from edgevit.rewrites.rule import Match, Rule

class Sample(Rule):
    name: ClassVar[str] = "sample-rule"
    after: ClassVar[tuple[str, ...]] = ("behind",)
    def match(self, node, draft):
        return None
    def rewrite(self, match, edit):
        return match.node

class Behind(Sample):
    name: ClassVar[str] = "behind"
    after: ClassVar[tuple[str, ...]] = ()

RULES = RuleSet((Sample(), Behind()))
"""


def test_a_rule_before_one_that_it_follows_is_refused(tmp_path: Path) -> None:
    site = distribution(tmp_path, "[edgevit.rules]\nmine = other:RULES\n", RULE)
    words = ["export", "zoo:vit-i32-p8-d24-h2-l1", "--target", "linux-x86", "--format", "onnx"]
    run = edgevit(site, *words, "-o", str(tmp_path / "out"))
    assert run.returncode == 21
    assert "must run after `behind`" in run.stderr
