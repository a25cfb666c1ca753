"""The code of docs/python.md, run from top to bottom as in a notebook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import ROOT


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.S)
    assert len(blocks) >= 5
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert (tmp_path / "out" / "both" / "executorch" / "edgevit.json").is_file()
