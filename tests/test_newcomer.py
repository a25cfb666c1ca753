"""A newcomer: the commands of README and of "Getting started", taken from the pages and run from top to bottom."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

BLOCK = re.compile(r"^```(sh|python)(?: title=\"(.+)\")?\n(.*?)^```$", re.M | re.S)
PAGES = (ROOT / "README.md", ROOT / "docs" / "getting-started.md")
# What libraries say on stderr, and a reader of the page did not ask for.
FOREIGN = re.compile(r"Warning|WARNING|^[WE]\d{4} |deprecat|site-packages", re.M)


def run(page: Path, folder: Path) -> list[str]:
    """Run the blocks of a page in order, and return what was said on stderr."""
    said = []
    beside = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for language, title, code in BLOCK.findall(page.read_text()):
        if title:
            (folder / title).write_text(code)
            continue
        command = ["sh", "-ec", code] if language == "sh" else [sys.executable, "-c", code]
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | beside,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{code}\n{done.stderr[-2000:]}"
        said.append(done.stderr)
    return said


@pytest.mark.slow
def test_getting_started_runs_from_top_to_bottom(tmp_path: Path) -> None:
    said = run(PAGES[1], tmp_path)
    assert len(said) >= 5
    assert (tmp_path / "out" / "net" / "report.html").is_file()
    assert not [line for text in said for line in text.splitlines() if FOREIGN.search(line)]


@pytest.mark.long
def test_readme_runs_from_top_to_bottom(tmp_path: Path) -> None:
    said = run(PAGES[0], tmp_path)
    assert len(said) == 3
    assert not [line for text in said for line in text.splitlines() if FOREIGN.search(line)]


def test_the_pages_have_commands_to_run() -> None:
    assert [len(BLOCK.findall(page.read_text())) for page in PAGES] == [3, 6]
