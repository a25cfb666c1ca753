"""Packages that differ in what is drawn at random come out the same."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from edgevit.backends.coreml.deterministic import make_deterministic

pytest.importorskip("coremltools", reason="pip install 'edgevit[coreml]'")
PATHS = ("com.apple.CoreML/model.mlmodel", "com.apple.CoreML/weights")


def package(folder: Path, turned: bool) -> Path:
    from coremltools.proto import Model_pb2

    model = vars(Model_pb2)["Model"](specificationVersion=7)
    for name in reversed("abcd") if turned else "abcd":
        model.description.metadata.userDefined[name] = name
    (folder / "Data/com.apple.CoreML").mkdir(parents=True)
    (folder / "Data" / PATHS[0]).write_bytes(model.SerializeToString())
    ids = {path: str(uuid.uuid4()) for path in PATHS}
    order = PATHS[::-1] if turned else PATHS
    entries = {ids[path]: {"author": "com.apple.CoreML", "path": path} for path in order}
    manifest = {"itemInfoEntries": entries, "rootModelIdentifier": ids[PATHS[0]]}
    (folder / "Manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_package_depends_on_the_program_alone(tmp_path: Path) -> None:
    one, other = package(tmp_path / "a", False), package(tmp_path / "b", True)
    make_deterministic(one)
    make_deterministic(other)
    for name in ("Manifest.json", f"Data/{PATHS[0]}"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    manifest = json.loads((one / "Manifest.json").read_text())
    root = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]
    assert root["path"] == PATHS[0]
