"""Two exports side by side: what differs between them, on the terminal, in JSON and on the page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.export.api import export
from tests.edited import edit, manifest_of


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An export, and the same where one product grew, one rule did not fire and one check failed."""
    room = tmp_path_factory.mktemp("beside")
    first = room / "first"
    assert export("zoo:vit-i32-p8-d24-h2-l1", target="linux-x86", format="onnx", output=first).passed  # fmt: skip
    second = Path(shutil.copytree(first, room / "second"))
    outline = json.loads((second / "graph" / "outline.json").read_text())
    product = next(node for node in outline["after"] if node["module"] == "blocks.0.mlp.0")
    product["macs"] *= 2
    (second / "graph" / "outline.json").write_text(json.dumps(outline))
    manifest = manifest_of(second)
    manifest["parity"][0] |= {"passed": False, "rel_l2": 0.5}
    fired = next(rule for rule in manifest["rewrites"] if rule["fired"])
    fired |= {"fired": 0, "fired_at": []}
    changes = {key: manifest[key] for key in ("parity", "rewrites")}
    edit(second, sealed=True, passed=False, **changes)
    return first, second


def test_what_differs_and_nothing_else(pair: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    first, second = map(str, pair)
    words = ["report", first, "--against", second, "-o", str(tmp_path / "page.html"), "--quiet"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    names = [(entry["layer"], entry["name"]) for entry in said["differences"]]
    rule = next(rule["rule"] for rule in manifest_of(pair[0])["rewrites"] if rule["fired"])
    assert names == [
        ("", "verdict"),
        ("", "relative L2, rewritten fp32"),
        ("", f"rule {rule}"),
        ("blocks.0.mlp.0", "multiply-accumulates"),
    ]
    assert said["differences"][0]["second"].startswith("NOT the same")
    macs = said["differences"][-1]
    assert 2 * int(macs["first"].replace(",", "")) == int(macs["second"].replace(",", ""))
    assert said["same"] > 20 and said["against"] == second
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "blocks.0.mlp.0  multiply-accumulates" in text and "figures are equal" in text
    html = (tmp_path / "page.html").read_text()
    assert html.index('id="beside"') < html.index('id="parity"')
    assert "0.5, NOT within" not in html and "5.00e-01, NOT within" in html


def test_an_export_beside_itself(pair: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    words = ["report", str(pair[0]), "--against", str(pair[0]), "-o", str(tmp_path / "page.html")]
    assert main([*words, "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["differences"] == []


def test_the_other_must_be_an_export_too(pair: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    assert main(["report", str(pair[0]), "--against", str(tmp_path), "--quiet"]) == 12
    assert str(tmp_path) in capsys.readouterr().err


def test_the_graph_for_model_explorer(pair: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    seen = tmp_path / "seen"
    words = ["report", str(pair[0]), "-o", str(tmp_path / "page.html"), "--explorer", str(seen)]
    assert main([*words, "--quiet", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {Path(path) for path in said["explorer"]} == set(seen.iterdir())
    assert (seen / "graph.json").is_file() and (seen / "delegate.json").is_file()
