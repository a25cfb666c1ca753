"""Exported folders that somebody has changed, and made consistent again: new hashes, a new digest, no seal of ours."""

from __future__ import annotations

import json
from pathlib import Path

from edgevit.exported.manifest_file import MANIFEST, write_manifest
from edgevit.exported.staging import listed_files


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / MANIFEST).read_text())


def edit(folder: Path, *, sealed: bool = False, **changes: object) -> None:
    """`changes` are keys of the manifest; every file that is there is listed as it is."""
    changed = {**manifest_of(folder), "files": listed_files(folder), **changes}
    write_manifest(folder, changed, sealed=sealed)
