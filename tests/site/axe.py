"""axe-core, which tells where a page falls short of WCAG: fetched once by npm, held to its hashes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from edgevit.backends.browser.packages import NpmPackage, PackedFile, fetch
from edgevit.errors import MissingToolError
from tests.browser import Tab

AXE = NpmPackage(
    "axe-core",
    "4.10.3",
    "MPL-2.0",
    "sha512-Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg==",
    (
        PackedFile(
            "axe.min.js",
            "axe.min.js",
            "880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb",
        ),
    ),
)
_RULES = "{runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa']}, resultTypes: ['violations']}"
_TOLD = (
    "r => r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.target.join(' ') + '  ' + "
    "(n.any.concat(n.all, n.none)[0] || {message: v.help}).message))"
)


def axe_script() -> str:
    if not AXE.is_cached:
        try:
            fetch(AXE)
        except MissingToolError as error:
            if os.environ.get("EDGEVIT_CI"):
                raise
            pytest.skip(f"axe-core is not here, and {error.message}: `make bed` fetches it")
    return Path(AXE.folder / "axe.min.js").read_text()


def shortcomings(tab: Tab, script: str) -> list[str]:
    """Return where the page that is open falls short of WCAG 2 A and AA."""
    if not tab.run("typeof axe === 'object'"):
        tab.run(script + ";0")
    told: Any = tab.run(f"axe.run(document, {_RULES}).then({_TOLD})")
    return told
