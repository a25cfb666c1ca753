"""The site: built strictly, and its pages as a browser shows them on a phone and on a desk, light and dark.

A sample here; `pytest --long tests/site` goes through all pages and leaves pictures in EDGEVIT_PICTURES.
"""

from __future__ import annotations

import functools
import http.server
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT
from tests.browser import Tab, opened
from tests.site.axe import axe_script, shortcomings

SAMPLE = ("", "devices/iphone/", "matrix/")
LOOKS = [(390, False), (390, True), (1280, False), (1280, True)]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *_: object) -> None:
        """Say nothing of requests."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("material") is None:
        if os.environ.get("EDGEVIT_CI"):
            raise AssertionError("mkdocs-material is missing")
        pytest.skip("mkdocs-material is missing: `make docs` installs it")
    site = tmp_path_factory.mktemp("site") / "site"
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", site]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=quiet)
    assert (done.returncode, done.stderr) == (0, "")
    return site


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(built))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with opened() as tab:
        yield tab


def looked_at(tab: Tab, url: str, width: int, dark: bool) -> list[str]:
    """Return what is wrong with a page at that width."""
    tab.open(url, width, dark=dark)
    wide = tab.run("document.documentElement.scrollWidth")
    wrong = [f"{wide} pixels wide"] if wide > width else []
    ground = tab.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    wrong += ["not dark" if dark else "not light"] if (sum(ground[:3]) < 380) != dark else []
    return wrong + tab.console


@pytest.mark.parametrize("page", SAMPLE)
def test_a_page_on_every_screen(built: Path, address: str, tab: Tab, page: str) -> None:
    wrong = {look: looked_at(tab, address + page, *look) for look in LOOKS}
    assert not any(wrong.values()), wrong


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("page", SAMPLE[1:2])
def test_a_page_can_be_read_by_all(address: str, tab: Tab, page: str, dark: bool) -> None:
    tab.open(address + page, 390, dark=dark)
    assert shortcomings(tab, axe_script()) == []


@pytest.mark.long
def test_all_pages(built: Path, address: str, tab: Tab) -> None:
    pictures = Path(os.environ.get("EDGEVIT_PICTURES", built.parent / "pictures"))
    pictures.mkdir(parents=True, exist_ok=True)
    script, wrong = axe_script(), {}
    for path in sorted(built.rglob("index.html")):
        page = "-".join(path.relative_to(built).parts[:-1]) or "index"
        for width, dark in LOOKS:
            there = looked_at(tab, address + str(path.relative_to(built)), width, dark)
            tab.picture(pictures / f"{page}-{width}-{'dark' if dark else 'light'}.png")
            there += shortcomings(tab, script) if width == 390 else []
            if there:
                wrong[page, width, dark] = there
    assert not wrong, "\n".join(f"{where}: {what}" for where, what in wrong.items())
