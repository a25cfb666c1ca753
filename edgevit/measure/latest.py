"""Newest stored figure of an exported folder's artifact, found by the artifact's content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevit.measure.cache import artifact_hash
from edgevit.measure.store import StoredFigure, open_store
from edgevit.measure.timing import Subject


def latest_latency(
    folder: Path, manifest: Mapping[str, Any], *, elsewhere: bool = False, store: str | None = None
) -> StoredFigure | None:
    """Return the newest stored latency in seconds. `elsewhere`: leave out `local` measurements."""
    path = folder / manifest["artifact"]
    artifact = artifact_hash(Subject("", manifest["format"], path, None, {}))
    with open_store(store) as figures:
        rows = figures.rows(model=str(manifest["model"]["spec"]))
    fitting = [
        row
        for row in rows
        if row.artifact == artifact
        and (row.unit, row.kind) == ("seconds", "measured")
        and not (elsewhere and row.device.get("address", "local") == "local")
    ]
    return fitting[-1] if fitting else None
