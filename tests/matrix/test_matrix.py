"""`edgevit matrix`: one table of models and formats, that goes on where it was interrupted."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.matrix.report import matrix_markdown, matrix_text
from edgevit.matrix.run import Matrix, MatrixRow, _cached, is_calibrated
from edgevit.support.option_values import Words
from tests import ROOT

MODEL = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"
NET = "import torch\nfrom torch import nn\n\nclass Odd(nn.Module):\n    def forward(self, x):\n        return torch.special.bessel_j0(x)\n\ndef build():\n    return Odd(), (torch.ones(1, 4),)\n"


def test_a_table_with_figures_and_refusals(tmp_path: Path, capsys) -> None:
    odd = tmp_path / "odd.py"
    odd.write_text(NET)
    out = tmp_path / "out"
    words = ["matrix", MODEL, f"{odd}:build", "--format", "onnx", "-o", str(out)]
    assert main([*words, "--rounds", "2", "--threads", "1"]) == 9
    said = capsys.readouterr()
    assert "tiny_hybrid" in said.out
    assert "refused" in said.out and "FAILED" not in said.out
    report = json.loads((out / "matrix.json").read_text())
    rows = {(r["model"].rpartition("/")[2], r["format"]): r for r in report["rows"]}
    good, eager = rows["tiny_hybrid.py:build", "onnx"], rows["tiny_hybrid.py:build", "eager"]
    assert good["passed"]
    assert 0 < good["rel_l2"] < 1e-5
    assert good["bytes"] > 10_000
    assert good["convert_seconds"] > 0
    assert good["latency_ms"] > 0
    assert eager["latency_ms"] > 0
    assert good["ops_outside"] == 0
    refused = rows["odd.py:build", "onnx"]
    assert not refused["passed"]
    assert "special_bessel_j0" in refused["error"]
    assert report["kind"] == "measured"
    assert report["host"]["cpu"]
    assert len(list(csv.DictReader((out / "matrix.csv").open()))) == 3
    page = (out / "matrix.md").read_text()
    assert "| onnx | 1 of 2 |" in page
    assert "## Refused" in page
    assert not list(out.glob("*/*.onnx"))  # artifacts go once they are timed

    assert main(["matrix", MODEL, "--format", "onnx", "-o", str(out), "--quiet", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["rows"][0]["latency_ms"] == good["latency_ms"]  # kept, not measured again


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{}", "null", '{"rows": [1], "when": 3}', '{"rows": NaN}', "\ud800"]
)
def test_an_entry_of_another_shape_is_no_figure(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.entry.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert _cached(tmp_path) == []


def test_targets_are_given_with_commas_too(tmp_path: Path, capsys) -> None:
    words = ["matrix", MODEL, "--targets", "iphone-12,no-such", "also-none", "-o", str(tmp_path)]
    assert main(words) != 0
    assert "no-such" in capsys.readouterr().err
    parser = argparse.ArgumentParser()
    parser.add_argument("--targets", nargs="+", action=Words)
    assert parser.parse_args(["--targets", "a,b", "c"]).targets == ["a", "b", "c"]


def test_targets_of_all_kinds_are_one_table() -> None:
    """Floats and integers, chips whose compiler predicts, and what was timed here."""
    net = "zoo:net"
    rows = (
        MatrixRow(net, "iphone-17", "coreml", "fp16", True, 1e-3, 0.99999, 100_000, 3.0),
        MatrixRow(net, "ethos-u55-256", "ethos-u", "int8", True, 0.01, 0.999, 84_960, 4.9, ram_bytes=12_064, cycles=195_204),
        MatrixRow(net, "ethos-u55-256", "tvm", "", False, error="it links for Linux: not for this"),
    )  # fmt: skip
    about = {
        "host": {"cpu": "a CPU", "cores": 2, "os": "an OS"},
        "threads": 2,
        "when": "2026-11-29",
    }
    matrix = Matrix(rows, {**about, "calibrate": "generated", "versions": {"edgevit": "0"}})
    text = matrix_text(matrix)
    assert "ethos-u  int8       1.0e-02" in text
    assert text.splitlines()[2].split()[-2:] == ["12", "195,204"]
    assert "not on the targets" in text
    assert "ranges are those of generated noise" in text
    assert "ethos-u55-256 tvm: it links for Linux: not for this" in text
    page = matrix_markdown(matrix, "edgevit matrix")
    assert "fp16: coreml; int8: ethos-u" in page
    assert "| zoo:net for ethos-u55-256 |  | 12 / 195,204 |" in page
    assert is_calibrated("ethos-u") and not is_calibrated("coreml")
