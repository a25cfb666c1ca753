"""Zip files that are the same bytes each time."""

from __future__ import annotations

import zipfile
from pathlib import Path


def write_zip(folder: Path, path: Path, inside: str = "") -> Path:
    """Write the files of a folder, below `inside`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(str(Path(inside, file.relative_to(folder)).as_posix()))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return path
