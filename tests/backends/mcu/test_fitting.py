"""What does not fit is refused with what weighs most, and with ways out that were tried: taken, they work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.errors import MemoryLimitError

SMALL = "zoo:vit-i32-p8-d48-h3-l2"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict]:
    code = main([*words, "--json", "--quiet"])
    return code, json.loads(capsys.readouterr().out)


def test_too_much_ram_names_the_peak_and_a_way_that_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", SMALL, "--target", "qemu-m4", "-o", str(tmp_path / "out")]
    code, error = told(capsys, *words, "--max-ram", "2500", "--choose", "tile=16")
    assert code == MemoryLimitError.exit_code and not (tmp_path / "out").exists()
    assert "more than the 2,500" in error["message"]
    assert "blocks." in error["why"] and "vit.py:" in error["why"]
    way = error["hint"].removeprefix("tried, and fits: ").split("; ")[0].split()
    assert way[0].startswith("--")
    code, manifest = told(capsys, *words, "--max-ram", "2500", *way)
    assert code == 0 and manifest["firmware"]["arena_bytes"] <= 2500


def test_too_many_weights_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """The one board has flash outside for them, the other has not."""
    model = "zoo:vit-i32-p8-d192-h3-l3"
    code, report = told(capsys, "inspect", model, "--target", "stm32f746")
    assert code == 0 and report["needs"]["fits"]
    code, report = told(capsys, "inspect", model, "--target", "stm32f407")
    needs = report["needs"]
    assert code == 0 and not needs["fits"]
    assert needs["shortfall"]["what"] == "flash" and needs["constant_bytes"] > 1 << 20
    code, error = told(capsys, "export", model, "--target", "stm32f407")
    assert code == MemoryLimitError.exit_code and "--weights-as binary@" in error["hint"]


def test_inspect_says_what_a_board_needs(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = told(capsys, "inspect", SMALL, "--target", "rp2040")
    needs = report["needs"]
    assert code == 0 and needs["fits"] and needs["tried"] == []
    assert needs["arena_bytes"] >= sum(needs["peak"]["values"].values()) > 0
    assert max(needs["largest_constants"].values()) < needs["constant_bytes"]
