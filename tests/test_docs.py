"""The pages: complete, and no link leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_error_is_told_with_its_exit_code() -> None:
    declared = re.compile(r"^class (\w+)\(EdgevitError\):.*?exit_code = (\d+)", re.M | re.S)
    sources = (ROOT / "edgevit").rglob("*.py")
    kinds = [(code, kind) for path in sources for kind, code in declared.findall(path.read_text())]
    rows = re.findall(r"^\| (\d+) \| `(\w+)`", (ROOT / "docs/errors.md").read_text(), re.M)
    assert sorted(kinds) == sorted(rows)
    assert len({code for code, _ in kinds}) == len(kinds) > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_nowhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_every_page_is_in_the_site() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert listed == {str(page.relative_to(ROOT / "docs")) for page in PAGES[1:]}
