"""The pages: complete, and no link leads nowhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests import ROOT

GENERATED = ("reference/commands.md", "reference/python.md")  # by benchmarks/site_pages.py
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


def test_the_generated_pages_have_every_command_and_every_public_name() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import site_pages

    commands, python = site_pages.commands_page(), site_pages.python_page()
    assert "## edgevit export" in commands and "`--input-size N`" in commands
    assert "## edgevit.export\n" in python and "**Args**" in python
    config = {"site_name": "e", "site_description": "d", "nav": [{"A": "index.md"}, {"B": [{"C": "c.md"}]}]}  # fmt: skip
    assert "- [A](./)\n- [C](c/)" in site_pages.llms_text(config)
    skill = site_pages.skill_text({"config_file_path": str(ROOT / "mkdocs.yml")})
    assert re.match(r"---\nname: edgevit\ndescription: .+\n---\n", skill)
    assert "| do not | do | why |" in skill and "- `edgevit export`: " in skill
