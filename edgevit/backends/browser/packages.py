"""Runtimes of the page: fetched once by the user's npm, checked by their hashes, kept in a cache."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import MissingToolError, OutputError

_PINNED = Path(__file__).with_name("packages.toml")
_PATIENCE = 600  # seconds for one package of npm


@dataclass(frozen=True)
class PackedFile:
    source: str  # path in the package
    path: str  # below `runtime/` of the page
    sha256: str


@dataclass(frozen=True)
class NpmPackage:
    name: str
    version: str
    license: str
    integrity: str  # as npm writes it: sha512-...
    files: tuple[PackedFile, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def folder(self) -> Path:
        """Return the folder of the cache. Another content is another folder."""
        name = f"{self.name.strip('@').replace('/', '-')}-{self.version}"
        mark = hashlib.sha256(self.integrity.encode()).hexdigest()[:8]
        return cache_folder() / f"{name}-{mark}"

    @property
    def is_cached(self) -> bool:
        return all(_is_file(self.folder / file.path, file.sha256) for file in self.files)


def cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "edgevit" / "browser"


def pinned() -> tuple[NpmPackage, ...]:
    entries = tomllib.loads(_PINNED.read_text(encoding="utf-8"))["package"]
    return tuple(
        NpmPackage(**{**entry, "files": tuple(PackedFile(*file) for file in entry["files"])})
        for entry in entries
    )


def runtime_versions() -> dict[str, str]:
    return {package.name: package.version for package in pinned()}


def runtime_files(progress: Callable[[str], None] = lambda _: None) -> dict[str, Path]:
    """Map paths below `runtime/` of the page to files of the cache, and fetch what is missing."""
    files: dict[str, Path] = {}
    for package in pinned():
        if not package.is_cached:
            progress(f"fetch {package} by npm")
            fetch(package)
        files |= {file.path: package.folder / file.path for file in package.files}
    return files


def notice() -> str:
    """Return the names and licences of what lies in `runtime/`."""
    rows = [f"{package}, {package.license}" for package in pinned()]
    return "\n".join(["Runtimes, unchanged, from the npm registry:", *rows, ""])


def fetch(package: NpmPackage) -> None:
    """Let npm download the package, check it, and unpack the files that the page needs."""
    folder = package.folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as room:
            archive = _packed(package, Path(room))
            _require_integrity(package, archive)
            _unpack(package, archive, Path(room) / "files")
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(Path(room) / "files", folder)
    except OSError as error:
        raise OutputError(
            f"{package} cannot be kept",
            where=str(folder),
            why=error.strerror or str(error),
            hint="free some room, or set XDG_CACHE_HOME to another folder",
        ) from error


def _packed(package: NpmPackage, room: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingToolError(
            "npm is not installed",
            why=f"it fetches {package} once; later exports need neither npm nor the network",
            hint="apt-get install npm, brew install node, or nodejs.org",
        )
    words = [npm, "pack", f"{package.name}@{package.version}", "--ignore-scripts", "--silent"]
    try:
        done = subprocess.run(
            words, cwd=room, capture_output=True, text=True, errors="replace", timeout=_PATIENCE
        )
        said = "" if done.returncode == 0 else (done.stderr.strip() or done.stdout.strip())
        failed = done.returncode != 0
    except subprocess.TimeoutExpired:
        said, failed = f"no answer in {_PATIENCE} s", True
    archives = sorted(room.glob("*.tgz"))
    if failed or len(archives) != 1:
        raise MissingToolError(
            f"npm does not fetch {package}",
            where=" ".join(words[1:]),
            why="\n".join(said.splitlines()[-4:]) or "it wrote no package",
            hint=f"it needs the network once; then the files are in {cache_folder()}",
        )
    return archives[0]


def _require_integrity(package: NpmPackage, archive: Path) -> None:
    digest = hashlib.sha512(archive.read_bytes()).digest()
    integrity = f"sha512-{base64.b64encode(digest).decode()}"
    if integrity != package.integrity:
        raise _not_ours(package, f"its hash is {integrity}, and edgevit knows {package.integrity}")


def _unpack(package: NpmPackage, archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as packed:
        for file in package.files:
            member = packed.extractfile(f"package/{file.source}")
            if member is None:
                raise _not_ours(package, f"{file.source} is no file in it")
            place = folder / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(member.read())
            if not _is_file(place, file.sha256):
                raise _not_ours(package, f"{file.source} has another content")


def _not_ours(package: NpmPackage, why: str) -> MissingToolError:
    return MissingToolError(
        f"npm has another {package} than edgevit knows",
        why=f"{why}\nnothing of it was kept",
        hint="npm cache verify, and check which registry `npm config get registry` names",
    )


def _is_file(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False
