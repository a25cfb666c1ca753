"""Deterministic packages: the same program gives the same bytes.

coremltools draws identifiers at random, writes maps in any order, and adds a table for the debugger of
another tool, which the package does not list.
"""

from __future__ import annotations

import importlib
import json
import uuid
from pathlib import Path

_DEBUG = "executorch_debug_handle_mapping.json"


def make_deterministic(package: Path) -> None:
    """Rewrite the package in place: identifiers derive from item paths, and maps are sorted."""
    (package / _DEBUG).unlink(missing_ok=True)
    file = package / "Manifest.json"
    manifest = json.loads(file.read_text())
    entries = manifest["itemInfoEntries"]
    names = {old: str(uuid.uuid5(uuid.NAMESPACE_URL, entries[old]["path"])) for old in entries}
    ordered = sorted(entries, key=lambda old: entries[old]["path"])
    manifest["itemInfoEntries"] = {names[old]: entries[old] for old in ordered}
    root = manifest["rootModelIdentifier"]
    manifest["rootModelIdentifier"] = names[root]
    file.write_text(json.dumps(manifest, indent=4) + "\n")
    model = package / "Data" / entries[root]["path"]
    specification = importlib.import_module("coremltools.proto.Model_pb2").Model()
    specification.ParseFromString(model.read_bytes())
    model.write_bytes(specification.SerializeToString(deterministic=True))
