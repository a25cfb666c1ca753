"""Manifest of an exported folder, read back, and checks that the folder's files are unchanged."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from edgevit.errors import PackageError
from edgevit.exported.golden import GOLDEN
from edgevit.exported.manifest_file import is_ours, is_whole
from edgevit.exported.manifest_schema import MANIFEST_SHAPE, SCHEMA
from edgevit.exported.staging import MANIFEST, file_entry, restore
from edgevit.support.backend_info import BACKENDS, firmware_formats, info_of
from edgevit.support.own_key import key_path
from edgevit.support.shape import ShapeError, require_shape
from edgevit.support.strangers_text import MalformedTextError, parse_json, read_bytes

BUILDS = "build"  # build output below the firmware folder
# Artifacts that are code: opening a library runs it, and firmware is compiled and emulated.


def expand_folders(paths: Sequence[Path]) -> list[Path]:
    """Replace each folder of an export in several formats by the folders of its formats."""
    folders: list[Path] = []
    for path in paths:
        inner = [] if (path / MANIFEST).exists() else sorted(path.glob(f"*/{MANIFEST}"))
        folders += [manifest.parent for manifest in inner] or [path]
    return folders


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of `folder`. Raises `PackageError` if missing, damaged or invalid."""
    content = _manifest_bytes(folder)
    try:
        manifest = parse_json(content)
        _require_schema(manifest)
        if not is_whole(content):
            raise ShapeError("digest", "the file is not as it was written")
        require_shape(manifest, MANIFEST_SHAPE)
        _require_sound(manifest)
    except ShapeError as error:
        raise _unread(folder, error.why, error.at) from error
    except MalformedTextError as error:
        raise _unread(folder, error.why, f"line {error.line}" if error.line else "") from error
    return manifest


def require_untouched(
    folder: Path, manifest: dict[str, Any], but: Collection[str] = ()
) -> tuple[str, ...]:
    """Refuse the folder unless each listed file, except those of `but`, is unchanged.

    Return the unlisted files: the user's own, beside the artifact.
    """
    listed = {entry["path"]: entry for entry in manifest["files"]}
    wrong = [why for path, entry in listed.items() if path not in but and (why := _wrong(folder, entry))]  # fmt: skip
    unlisted = tuple(path for path in _paths_in(folder) if path not in listed and path != MANIFEST)
    wrong += [f"{path} is not listed in {MANIFEST}" for path in unlisted if _is_read(path, manifest)]  # fmt: skip
    wrong += [f"{path} is not listed" for path in _needed(manifest) - listed.keys()]
    if wrong:
        more = [f"and {len(wrong) - 20} more"] if len(wrong) > 20 else []
        raise PackageError(
            "the folder is not what was exported",
            where=str(folder),
            why="\n".join([*wrong[:20], *more]),
            hint="export the model again to another folder, or copy the folder again",
        )
    return unlisted


def require_ours(folder: Path, manifest: dict[str, Any], trust: bool) -> None:
    """Refuse to run the code of a folder that this user did not export on this machine."""
    code = info_of(manifest["format"]).code
    if trust or code is None or exported_here(folder):
        return
    raise _strangers(str(folder), f"it holds {code}")


def require_trusted_file(path: Path, format: str, trust: bool) -> None:
    """Refuse to run an artifact that is code and comes without its exported folder."""
    code = info_of(format).code if format in BACKENDS else None
    if code and not trust:
        raise _strangers(str(path), f"it is {code}, without the folder that vouches for it")


def require_trusted_model(folder: Path, trust: bool) -> None:
    """Refuse to build the model of an untrusted folder, which runs the Python of its spec."""
    if not trust and not exported_here(folder):
        raise _strangers(str(folder), "its model is built by running the Python that it names")


def exported_here(folder: Path) -> bool:
    return is_ours(_manifest_bytes(folder))


def _strangers(where: str, why: str) -> PackageError:
    return PackageError(
        "code that another user exported is not run",
        where=where,
        why=f"{why}, and it was not exported by you on this machine\n(folders exported here are sealed with {key_path()})",
        hint="--trust, if you know where it is from; or export the model yourself",
    )


def _manifest_bytes(folder: Path) -> bytes:
    path = folder / MANIFEST
    try:
        if not folder.exists():
            restore(folder)  # a killed export may have left it aside
        if not path.is_symlink() and path.is_file():
            return read_bytes(path)
        why = f"its {MANIFEST} is no regular file" if os.path.lexists(path) else _absence(folder)
    except MalformedTextError as error:
        raise _unread(folder, error.why, "") from error
    except OSError as error:
        why = f"{error.strerror or error}"
    raise PackageError(
        f"{folder} is not an exported folder",
        where=str(path),
        why=why,
        hint="give the folder that `edgevit export -o` wrote",
    )


def _absence(folder: Path) -> str:
    return "there is no such file" if folder.is_dir() else "there is no such folder"


def _unread(folder: Path, why: str, at: str) -> PackageError:
    path = folder / MANIFEST
    return PackageError(
        f"{MANIFEST} cannot be read",
        where=f"{path}  {at}".strip(),
        why=why,
        hint="export the model again; only edgevit writes this file",
    )


def _require_schema(manifest: Any) -> None:
    if not isinstance(manifest, dict) or "schema" not in manifest:
        raise ShapeError("", "it is no manifest: it has no schema")
    schema = manifest["schema"]
    if isinstance(schema, bool) or schema != SCHEMA:
        old = ", which has no digest to be checked by" if schema == 1 else ""
        raise ShapeError(
            "schema", f"schema {str(schema)[:20]}{old}; this edgevit reads schema {SCHEMA}"
        )


def _require_sound(manifest: dict[str, Any]) -> None:
    """Refuse a manifest with inconsistent parts, which its schema cannot express."""
    format, precision = manifest["format"], manifest["precision"]
    if precision not in info_of(format).precisions:
        raise ShapeError("precision", f"{format} is not written in {precision}")
    if manifest["passed"] != all(entry["passed"] for entry in manifest["parity"]):
        raise ShapeError("passed", "it is not what the entries of `parity` say")
    paths = [entry["path"] for entry in manifest["files"]]
    if len(set(paths)) != len(paths):
        raise ShapeError("files", "a path is there twice")


def _needed(manifest: dict[str, Any]) -> set[str]:
    """Return the paths that must be listed: those that `verify` reads, so that all are checked."""
    artifact = manifest["artifact"]
    inside = any(entry["path"].startswith(f"{artifact}/") for entry in manifest["files"])
    return {GOLDEN} if inside else {GOLDEN, artifact}


def _is_read(path: str, manifest: dict[str, Any]) -> bool:
    """Return True for an unlisted file that a reader would take for a part of the artifact."""
    artifact = manifest["artifact"]
    if path.startswith(f"{artifact}/{BUILDS}/") and manifest["format"] in firmware_formats():
        return False
    top, inside = path.partition("/")[0], "/" in path
    return path.startswith((f"{artifact}/", f"{artifact}.")) or (
        not inside and top.endswith(".safetensors")
    )


def _paths_in(folder: Path) -> Iterator[str]:
    """Yield the relative paths of everything but folders: files, links, pipes."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()


def _wrong(folder: Path, entry: dict[str, Any]) -> str:
    """Return the reason why a listed file is not as written, or an empty string."""
    name = entry["path"]
    path = folder / name
    parts = Path(name).parts
    if any((folder / Path(*parts[:n])).is_symlink() for n in range(1, len(parts) + 1)):
        return f"{name} is a link, or below one"
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            return f"{name} is no regular file"
        if about.st_size != entry["bytes"] or file_entry(path, folder)["sha256"] != entry["sha256"]:
            return f"{name} has other content than when it was written"
    except (FileNotFoundError, NotADirectoryError):
        return f"{name} is missing"
    except OSError as error:
        return f"{name} cannot be read: {error.strerror}"
    return ""
