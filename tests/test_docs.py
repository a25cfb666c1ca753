"""The pages: complete, and no link leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import ROOT

GENERATED = ("reference/commands.md", "reference/python.md")  # by benchmarks/site.py
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_nowhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_every_page_is_in_the_site() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    listed -= set(GENERATED)
    assert listed == {str(page.relative_to(ROOT / "docs")) for page in PAGES[1:]}
