"""Positions that are read by distance from tables, as AutoFormer and MCUFormer have them, on an emulated core."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgevit.export.api import export

NET = f"{Path(__file__).parents[3] / 'benchmarks' / 'mcuformer_net.py'}:tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("relative") / "out"
    assert export(NET, target="stm32f746", output=folder).passed
    return folder


def test_tables_stay_tables(folder: Path) -> None:
    """A head picks and sums by index; nothing has a row for each pair of tokens, and no softmax is made twice."""
    text = (folder / "graph.txt").read_text()
    assert len(re.findall(r"= pick\(", text)) == len(re.findall(r"= bin_sum\(", text)) == 2 * 2
    assert len(re.findall(r"= softmax\(", text)) == 2
    assert "int8[10x10x64]" not in text
