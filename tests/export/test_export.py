"""`edgevit export` as a person meets it: what it leaves, what it prints, and what it never leaves behind."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

import edgevit
import edgevit.graph.parity
from edgevit.cli.main import _parser, main
from edgevit.errors import OutputError
from edgevit.export.result import ExportResult
from tests import ROOT

MODEL = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    return edgevit.export(MODEL, target="iphone", output=tmp_path_factory.mktemp("export") / "out")


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.suffix != ".py" and p.name != "__pycache__")


def test_leaves_the_artifact_and_its_report(exported: ExportResult) -> None:
    assert exported.passed
    names = sorted(p.name for p in exported.directory.iterdir())
    assert names == sorted(
        [
            exported.artifact.name,
            "call",
            "edgevit.json",
            "golden.safetensors",
            "graph",
            "report.html",
            "summary.txt",
        ]
    )
    manifest = json.loads((exported.directory / "edgevit.json").read_text())
    assert manifest.pop("seal") and manifest.pop("digest")
    assert manifest == exported.manifest
    for key in (
        "schema",
        "model",
        "target",
        "format",
        "files",
        "versions",
        "graph",
        "rewrites",
        "parity",
        "stages",
    ):
        assert key in manifest
    assert set(manifest["graph"]["before"]) >= {"ops", "convs", "macs", "params", "transposes"}
    assert {(p["stage"], p["precision"]) for p in manifest["parity"]} == {
        ("rewritten", "fp32"),
        ("package", "fp32"),
        ("package", "fp16"),
        ("other inputs", "fp32"),
        ("other inputs", "fp16"),
    }
    for parity in manifest["parity"]:
        assert set(parity) >= {
            "stage",
            "precision",
            "max_abs",
            "rel_l2",
            "cosine",
            "top1_agree",
            "passed",
        }
    assert set(manifest["stages"]) == {"resolve", "capture", "rewrite", "lower", "verify"}


def test_every_file_is_listed_with_its_hash(exported: ExportResult) -> None:
    present = {p for p in exported.directory.rglob("*") if p.is_file() and p.name != "edgevit.json"}
    listed = exported.manifest["files"]
    assert {exported.directory / f["path"] for f in listed} == present
    for entry in listed:
        content = (exported.directory / entry["path"]).read_bytes()
        assert entry["bytes"] == len(content)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()


def test_branches_were_collapsed_without_a_hook(
    exported: ExportResult,
) -> None:
    graph = exported.manifest["graph"]
    collapse = next(r for r in exported.manifest["rewrites"] if r["rule"] == "collapse-linear")
    assert collapse["fired"] == 2
    assert (collapse["before"]["convs"], collapse["after"]["convs"]) == (5, 3)
    # The Neural Engine wants tokens as images: qkv and out of two attentions are 1x1 convolutions by now.
    assert (graph["before"]["convs"], graph["after"]["convs"]) == (5, 3 + 2 * 2)
    assert 0 < collapse["max_abs_error"] < 1e-4
    assert all(set(refusal) == {"where", "why"} for refusal in collapse["refused"])
    assert any("tiny_hybrid.py:" in refusal["where"] for refusal in collapse["refused"])


def test_json_prints_one_object_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(
        [
            "export",
            MODEL,
            "--target",
            "iphone",
            "--precision",
            "fp32",
            "--json",
            "-o",
            str(tmp_path / "o"),
        ]
    )
    printed = capsys.readouterr()
    manifest = json.loads(printed.out)
    assert code == 0
    assert manifest["precision"] == "fp32"
    assert manifest["passed"] is True
    assert "rewrite" in printed.err  # progress goes to the other stream


def test_explain_names_the_lines_of_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [
                "export",
                MODEL,
                "--target",
                "iphone",
                "--explain",
                "--quiet",
                "-o",
                str(tmp_path / "o"),
            ]
        )
        == 0
    )
    text = capsys.readouterr().out
    assert "fired    local.0" in text
    assert "already shifted by a bias" in text


def test_inspect_says_the_same_without_lowering(
    exported: ExportResult,
    tmp_path: Path,
    monkeypatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", MODEL, "--target", "iphone", "--json", "--quiet"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert seen["graph"] == exported.manifest["graph"]
    assert [r["fired_at"] for r in seen["rewrites"]] == [
        r["fired_at"] for r in exported.manifest["rewrites"]
    ]
    assert leftovers(tmp_path) == []


def test_a_rule_can_be_left_out() -> None:
    report = edgevit.inspect(MODEL, without=["collapse-linear"])
    assert report.rewrites.after.convs == 5


def test_pixels_in_and_preprocessing_inside(tmp_path: Path) -> None:
    result = edgevit.export(
        MODEL,
        target="iphone",
        output=tmp_path / "o",
        image_input=True,
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.4),
    )
    assert result.passed
    assert result.manifest["model"]["preprocess"]["mean"] == [0.5, 0.4, 0.3]
    assert result.manifest["image_input"] is True


def test_an_earlier_export_is_replaced_and_a_strangers_folder_is_not(tmp_path: Path) -> None:
    out = tmp_path / "o"
    edgevit.export(MODEL, target="iphone", precision="fp32", output=out)
    first = json.loads((out / "edgevit.json").read_text())
    edgevit.export(MODEL, target="iphone", output=out)
    second = json.loads((out / "edgevit.json").read_text())
    assert (first["precision"], second["precision"]) == ("fp32", "fp16")
    (out / "thesis.doc").write_text("years of work")
    with pytest.raises(OutputError, match=r"not an export") as caught:
        edgevit.export(MODEL, target="iphone", output=out)
    assert "thesis.doc" in caught.value.why
    assert (out / "thesis.doc").read_text() == "years of work"


def test_killed_half_way_leaves_the_old_export(tmp_path: Path, exported: ExportResult) -> None:
    out = tmp_path / "o"
    shutil.copytree(exported.directory, out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    script = (
        "import os, signal, importlib\n"
        "p = importlib.import_module('edgevit.export.pipeline')\n"
        "p._leave = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "import edgevit\n"
        f"edgevit.export({MODEL!r}, target='iphone', precision='fp32', output={str(out)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, cwd=tmp_path
    )
    assert done.returncode == -signal.SIGKILL
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    drafts = [p for p in tmp_path.iterdir() if p.name.startswith(".o.edgevit-")]
    assert len(drafts) == 1, "it was killed while the draft was there"
    edgevit.export(MODEL, target="iphone", precision="fp32", output=out)
    assert leftovers(tmp_path) == ["o"], "the next export sweeps up"


REFUSED = {
    "unknown target": (["--target", "ifone"], 7, "iphone"),
    "unknown format": (["--target", "iphone", "--format", "coremml"], 7, "coreml"),
    "format of others": (["--target", "iphone", "--format", "tflite"], 7, "does not take"),
    "unknown precision": (["--target", "iphone", "--precision", "fp15"], 7, "fp16"),
    "unknown rule": (["--target", "iphone", "--without", "collapse-liner"], 2, "collapse-linear"),
    "no such option": (["--target", "iphone", "--precison", "fp16"], 2, "--help"),
    "no target": ([], 2, "--target"),
    "size": (["--target", "iphone", "--input-size", "12y"], 2, "not a size"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_words_are_answered_and_nothing_is_written(
    name: str, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words, code, text = REFUSED[name]
    assert main(["export", MODEL, *words]) == code
    printed = capsys.readouterr()
    assert printed.err.startswith("error[E")
    assert text in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert leftovers(tmp_path) == []


def test_an_error_is_one_json_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", MODEL, "--target", "ifone", "--json"]) == 7
    error = json.loads(capsys.readouterr().out)
    assert error["error"] == "TargetError"
    assert "iphone" in error["hint"]


BROKEN = {
    "data-dependent control flow": (
        """
        import torch
        class Net(torch.nn.Module):
            def forward(self, x):
                if x.sum() > 0:
                    return x
                return -x
        def build():
            return Net(), (torch.randn(1, 3, 8, 8),)
        """,
        5,
        ["model.py:4", "if x.sum() > 0", "torch.where"],
    ),
    "an op that Core ML lacks": (
        """
        import torch
        class Net(torch.nn.Module):
            def forward(self, x):
                y = torch.linalg.svdvals(x)
                return y + torch.special.bessel_j0(y)
        def build():
            return Net(), (torch.randn(1, 3, 8, 8),)
        """,
        6,
        ["svd", "bessel_j0", "model.py:4", "model.py:5"],
    ),
    "raises": (
        "def build():\n    raise ValueError('no weights today')\n",
        3,
        ["no weights today", "model.py:2"],
    ),
    "no module": ("def build():\n    return 42\n", 3, ["int"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_models_that_cannot_be_exported(
    name: str, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, exit_code, pieces = BROKEN[name]
    (tmp_path / "model.py").write_text(textwrap.dedent(code).lstrip())
    assert (
        main(["export", "model.py:build", "--target", "iphone", "-o", "o", "--quiet"]) == exit_code
    )
    printed = capsys.readouterr()
    assert printed.err.startswith("error[E"), "and nothing of torch's own before it"
    for piece in pieces:
        assert piece in printed.err, printed.err
    assert leftovers(tmp_path) == []


def test_a_full_disk_is_said_before_the_work(tmp_path: Path, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(OutputError, match="no space left") as caught:
        edgevit.export(MODEL, target="iphone", output=tmp_path / "o")
    assert "are needed" in caught.value.why
    assert leftovers(tmp_path) == []


def test_a_disk_that_fills_up_while_writing(tmp_path: Path, monkeypatch) -> None:
    import errno

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(import_module("edgevit.export.finish"), "summary", full)
    with pytest.raises(OutputError, match="no space left"):
        edgevit.export(MODEL, target="iphone", output=tmp_path / "o")
    assert leftovers(tmp_path) == []


def test_an_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught:
        edgevit.export(MODEL, target="iphone", output=tmp_path / "file" / "o")
    assert "-o" in caught.value.hint
    with pytest.raises(OutputError, match="is not a folder"):
        edgevit.export(MODEL, target="iphone", output=tmp_path / "file")


def test_a_missing_backend_library_says_how_to_get_it(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    monkeypatch.delitem(sys.modules, "coremltools")
    monkeypatch.setattr("edgevit.backends.coreml.tool.find_spec", lambda _: None)
    assert main(["export", MODEL, "--target", "iphone", "-o", str(tmp_path / "o"), "--quiet"]) == 10
    assert "pip install 'edgevit[coreml]'" in capsys.readouterr().err
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "words", [["--help"], ["export", "--help"], ["targets"], ["targets", "iphone", "--json"]]
)
def test_light_commands_import_no_torch_and_answer_at_once(words: list[str]) -> None:
    script = (
        "import sys\nfrom edgevit.cli.main import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'coremltools', 'timm'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    # A machine that other work slows down takes longer for the standard library too.
    library = "import argparse, dataclasses, json, pathlib, re, subprocess, tomllib"
    ours, theirs = (min(cpu_seconds(code) for _ in range(5)) for code in (script, library))
    assert ours < max(0.3, 6 * theirs)


def cpu_seconds(code: str) -> float:
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def test_the_help_of_the_program_reads_no_entry_points() -> None:
    script = (
        "import sys\nfrom edgevit.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "loaded = {'importlib.metadata', 'email', 'edgevit.support.backend_info'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_every_command_and_option_has_a_sentence_of_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = _parser()
    (verbs,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    texts = {one.dest: one.help for one in verbs._choices_actions}
    for name, command in verbs.choices.items():
        with pytest.raises(SystemExit):
            command.parse_args(["--help"])
        texts |= {f"{name} {a.metavar or a.dest}": a.help for a in command._actions[1:]}
    capsys.readouterr()
    wrong = {
        name: text for name, text in texts.items() if not re.fullmatch("[A-Z].*\\.", text or "")
    }
    assert not wrong


def test_doctor_lists_every_extra_with_its_install_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    parts = {part["extra"]: part for part in found["extras"]}
    formats = {
        "coreml",
        "coreai",
        "executorch",
        "tflite",
        "onnx",
        "qnn",
        "browser",
        "ethos-u",
        "tvm",
        "mcu",
        "zoo",
    }
    assert set(parts) == formats | {"tune", "sweep", "store"}
    assert parts["coreml"]["present"]["coremltools"]
    for part in parts.values():
        assert part["ready"] == (not part["missing"])
        assert part["ready"] or part["install"] == f"pip install 'edgevit[{part['extra']}]'"


def test_a_failed_check_is_exit_code_9(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(
        "edgevit.backends.coreml.backend.FP16", edgevit.graph.parity.Limit(1.0, min_cosine=1.1)
    )
    code = main(["export", MODEL, "--target", "iphone", "-o", str(tmp_path / "o"), "--quiet"])
    assert code == 9
    assert "NOT the same" in capsys.readouterr().out
