"""The folder an export leaves appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.errors import OutputError
from edgevit.exported.manifest_file import MANIFEST, write_manifest
from edgevit.exported.staging import listed_files, staged


def fill(folder: Path, text: str) -> None:
    (folder / "a.bin").write_text(text)
    write_manifest(folder, {"schema": 2, "files": listed_files(folder)})


def test_appears_when_the_work_is_done(tmp_path: Path) -> None:
    with staged(tmp_path / "deep" / "out") as draft:
        fill(draft, "one")
        assert not (tmp_path / "deep" / "out").exists()
    assert (tmp_path / "deep" / "out" / "a.bin").read_text() == "one"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]


def test_a_failure_leaves_the_old_one(tmp_path: Path) -> None:
    with staged(tmp_path / "out") as draft:
        fill(draft, "one")
    with pytest.raises(ValueError, match="boom"), staged(tmp_path / "out") as draft:  # noqa: PT012
        fill(draft, "two")
        raise ValueError("boom")
    assert (tmp_path / "out" / "a.bin").read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with staged(tmp_path / "out") as draft:
        fill(draft, "one")
    assert (tmp_path / "out" / "a.bin").exists()


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"files": 3}', '{"files": [{}]}'])
def test_a_manifest_that_is_not_ours_protects_nothing_but_strangers(
    tmp_path: Path, manifest: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_text(manifest)
    (out / "photo.jpg").write_text("mine")
    with pytest.raises(OutputError, match="not an export"), staged(out):
        pass
    assert (out / "photo.jpg").read_text() == "mine"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    with pytest.raises(OutputError, match="is not a folder"), staged(tmp_path / "out"):
        pass
