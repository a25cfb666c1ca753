"""A page to test: the runtimes fetched, a browser here, and one small export."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from edgevit.backends.browser.chromium import MORE_FLAGS, find_browser
from edgevit.backends.browser.packages import pinned
from edgevit.export.api import export
from edgevit.export.result import ExportResult

NET = "zoo:vit-i32-p8-d24-h2-l1"


os.environ.setdefault(MORE_FLAGS, "--no-sandbox")  # runners of CI forbid it


def require_tools() -> None:
    missing = [] if find_browser() else ["chromium"]
    if not all(package.is_cached for package in pinned()) and not shutil.which("npm"):
        missing.append("npm")
    if missing and os.environ.get("EDGEVIT_CI"):
        raise AssertionError(f"{missing} are missing")
    if missing:
        pytest.skip(f"missing: apt-get install {' '.join(missing)}")


def exported_page(folder: Path) -> ExportResult:
    require_tools()
    result = export(NET, target="browser", output=folder)
    assert not hasattr(result, "outcomes")
    return result  # type: ignore[return-value]
