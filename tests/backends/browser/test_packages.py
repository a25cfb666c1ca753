"""Runtimes from npm: fetched once, held to their hashes, used from the cache afterwards."""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import tarfile
from pathlib import Path

import pytest

from edgevit.backends.browser import packages
from edgevit.backends.browser.packages import NpmPackage, PackedFile, fetch, pinned
from edgevit.errors import MissingToolError

CODE = b"export const answer = 42;\n"


def archive(content: bytes = CODE, name: str = "package/dist/a.js") -> bytes:
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w:gz") as packed:
        about = tarfile.TarInfo(name)
        about.size = len(content)
        packed.addfile(about, io.BytesIO(content))
    return room.getvalue()


def package_of(packed: bytes) -> NpmPackage:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(packed).digest()).decode()
    file = PackedFile("dist/a.js", "some/a.js", hashlib.sha256(CODE).hexdigest())
    return NpmPackage("@some/thing", "1.2.3", "MIT", integrity, (file,))


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an npm first on the PATH that packs what lies in the returned file."""
    tool, source = tmp_path / "bin" / "npm", tmp_path / "registry.tgz"
    tool.parent.mkdir()
    tool.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\ncp {source} ./some-thing-1.2.3.tgz\n'
    )
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return source


def test_a_package_is_fetched_once_and_then_needs_no_npm(
    npm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm.write_bytes(archive())
    package = package_of(npm.read_bytes())
    monkeypatch.setattr(packages, "pinned", lambda: (package,))
    files = packages.runtime_files()
    assert files["some/a.js"].read_bytes() == CODE
    monkeypatch.setenv("PATH", "")
    assert packages.runtime_files() == files
    assert "pack @some/thing@1.2.3" in npm.with_name("calls").read_text()


def test_another_package_than_the_pinned_one_is_refused_and_not_kept(npm: Path) -> None:
    npm.write_bytes(archive(b"steal()"))
    package = package_of(archive())
    with pytest.raises(MissingToolError, match="npm has another @some/thing") as error:
        fetch(package)
    assert package.integrity in error.value.why and error.value.hint
    assert not package.folder.exists()


def test_a_damaged_file_of_the_cache_is_fetched_again(npm: Path) -> None:
    npm.write_bytes(archive())
    package = package_of(npm.read_bytes())
    fetch(package)
    (package.folder / "some/a.js").write_bytes(b"half")
    assert not package.is_cached
    fetch(package)
    assert package.is_cached


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#!/bin/sh\necho 'npm error code ENOTFOUND' >&2\nexit 1\n", "npm does not fetch"),
        ("#!/bin/sh\nexit 0\n", "npm does not fetch"),
        (None, "npm is not installed"),
    ],
)
def test_without_npm_or_its_answer_the_error_says_what_to_do(
    npm: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, message: str
) -> None:
    tool = npm.parent / "bin" / "npm"
    if script is None:
        monkeypatch.setenv("PATH", "")
    else:
        tool.write_text(script)
    with pytest.raises(MissingToolError, match=message) as error:
        fetch(package_of(archive()))
    assert error.value.why and error.value.hint


def test_the_pinned_packages_name_versions_and_both_hashes() -> None:
    for package in pinned():
        assert package.integrity.startswith("sha512-") and package.version[0].isdigit()
        assert all(len(file.sha256) == 64 for file in package.files)
