"""An exported folder, read back: its manifest, and whether its files are still those that were written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgevit.backends.table import BACKENDS
from edgevit.errors import PackageError
from edgevit.output import MANIFEST, file_entry

SCHEMA = 1


def expand_folders(paths: Sequence[Path]) -> list[Path]:
    """The folders of an export in several formats stand for all of them."""
    found: list[Path] = []
    for path in paths:
        inner = [] if (path / MANIFEST).exists() else sorted(path.glob(f"*/{MANIFEST}"))
        found += [manifest.parent for manifest in inner] or [path]
    return found


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of `folder`, or a `PackageError` that says what it is instead."""
    path = folder / MANIFEST
    if not path.is_file():
        raise PackageError(
            f"{folder} is not an exported folder",
            where=str(path),
            why="there is no such file" if folder.is_dir() else "there is no such folder",
            hint="give the folder that `edgevit export -o` wrote",
        )
    try:
        manifest = json.loads(path.read_text())
        _require_sound(manifest)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise PackageError(
            f"{MANIFEST} cannot be read",
            where=str(path),
            why=f"{type(error).__name__}: {error}",
            hint="export the model again",
        ) from error
    return manifest


def require_untouched(folder: Path, manifest: dict[str, Any]) -> None:
    """Every listed file is there, with the bytes it was written with."""
    wrong = []
    for entry in manifest["files"]:
        path = folder / entry["path"]
        if not path.is_file():
            wrong.append(f"{entry['path']} is missing")
        elif file_entry(path, folder)["sha256"] != entry["sha256"]:
            wrong.append(f"{entry['path']} has other content than when it was written")
    if wrong:
        raise PackageError(
            "the folder is not what was exported",
            where=str(folder),
            why="\n".join(wrong),
            hint="export the model again, or copy the folder again",
        )


def _require_sound(manifest: Any) -> None:
    if manifest["schema"] != SCHEMA:
        raise ValueError(f"schema {manifest['schema']}, this edgevit reads {SCHEMA}")
    if manifest["format"] not in BACKENDS:
        raise ValueError(f"no format is called {manifest['format']!r}")
    for path in (manifest["artifact"], *(entry["path"] for entry in manifest["files"])):
        _require_inside(path)
    needed = {"precision", "target", "model", "versions"} - set(manifest)
    if needed:
        raise KeyError(", ".join(sorted(needed)))


def _require_inside(name: Any) -> None:
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts:
        raise ValueError(f"`{name}` points outside the folder")
