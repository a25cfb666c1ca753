"""Atomic writes of exported folders: built beside the final place and moved there whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgevit.errors import OutputError
from edgevit.exported.manifest_file import MANIFEST, is_whole
from edgevit.support.strangers_text import MalformedTextError, parse_json, read_bytes
from edgevit.support.supervised import tell
from edgevit.support.whole_file import draft_of, drafts_left, is_draft_left

_OLD = ".old"  # the previous export, complete
_GONE = ".gone"  # a previous export, being deleted
_UNDIGESTED = 1  # schema of manifests without a digest


@contextlib.contextmanager
def staged(final: Path) -> Iterator[Path]:
    """Yield a folder to write into. It becomes `final` on success, and is removed on an error."""
    final = Path(os.path.abspath(final))  # not resolve(): a link to a folder stays a link
    with _explained(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        sweep(final)
    _require_replaceable(final)
    draft = draft_of(final)
    tell(final)
    try:
        with _explained(final):
            draft.mkdir()
            yield draft
            _move(draft, final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def restore(final: Path) -> None:
    """Put back the export that a killed process had moved aside, if nothing took its place."""
    final = Path(os.path.abspath(final))
    if not final.parent.is_dir() or (os.path.lexists(final) and not _is_empty(final)):
        return
    aside = [path for path in drafts_left(final) if path.name.endswith(_OLD)]
    if aside:
        os.replace(max(aside, key=lambda path: path.stat().st_mtime), final)


def sweep(final: Path) -> None:
    """Clean up after a killed process: restore the old export, then delete the drafts."""
    restore(final)
    for path in drafts_left(final):
        _discard(path)


def _move(draft: Path, final: Path) -> None:
    """Replace `final` by the draft.

    A kill at any moment leaves the old export whole, in its place or aside, or the new one whole in
    its place.
    """
    _require_replaceable(final)  # again: an export takes a while
    old = draft_of(final, _OLD)
    try:
        if final.exists():
            os.replace(final, old)
        os.replace(draft, final)
    except BaseException:
        if old.exists() and not final.exists():
            os.replace(old, final)
        raise
    if old.exists():
        _discard(old)


def _discard(path: Path) -> None:
    """Delete a draft or an old export.

    An old export is renamed first, so that a half deleted one is never restored.
    """
    if path.name.endswith(_OLD):
        gone = path.with_name(path.name.removesuffix(_OLD) + _GONE)
        shutil.rmtree(gone, ignore_errors=True)
        os.replace(path, gone)
        path = gone
    shutil.rmtree(path, ignore_errors=True)


def remove(path: Path) -> None:
    """Delete a file, or a folder with its contents."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def empty(folder: Path) -> None:
    """Delete what is in a folder."""
    for path in folder.iterdir():
        remove(path)


def remove_export(folder: Path) -> None:
    """Delete an exported folder, unless it holds files that are not of the export."""
    if folder.is_dir() and not folder.is_symlink() and not _strangers(folder):
        shutil.rmtree(folder)


def _require_replaceable(final: Path) -> None:
    """Refuse to replace anything but an empty folder, or one that holds an export alone."""
    if not os.path.lexists(final):
        return
    if final.is_symlink() or not final.is_dir():
        raise OutputError(
            f"{final} is not a folder",
            where=str(final),
            why="a link is not followed" if final.is_symlink() else "it is a file",
            hint="-o another folder",
        )
    with _explained(final):
        strangers = _strangers(final)
    if strangers:
        more = [f"and {len(strangers) - 5} more"] if len(strangers) > 5 else []
        raise OutputError(
            f"{final} holds files that are not an export of ours",
            where=str(final),
            why="\n".join([*strangers[:5], *more]),
            hint="-o a new folder, or an earlier export's; or move these files away first",
        )


def _strangers(folder: Path) -> list[str]:
    """Return the files that are not as an export wrote them, with a reason for listed names."""
    listed = _listed(folder)
    strangers = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (path.is_dir() and not path.is_symlink()) or is_draft_left(path.name):
            continue
        if name not in listed:
            strangers.append(name)
        elif path.is_symlink() or not path.is_file():
            strangers.append(f"{name}: no regular file")
        elif name != MANIFEST and _sha256(path) != listed[name]:
            strangers.append(f"{name}: changed since it was written")
    return strangers


def _listed(folder: Path) -> dict[str, str]:
    """Map paths to hashes, or return nothing if the manifest is unreadable or damaged."""
    try:
        content = read_bytes(folder / MANIFEST)
        manifest: Any = parse_json(content)
        if manifest["schema"] != _UNDIGESTED and not is_whole(content):
            return {}
        files = {str(entry["path"]): str(entry["sha256"]) for entry in manifest["files"]}
    except (OSError, MalformedTextError, KeyError, TypeError):
        return {}
    return {**files, MANIFEST: ""}


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())


@contextlib.contextmanager
def _explained(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _output_error(final, error) from error


def _output_error(final: Path, error: OSError) -> OutputError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return OutputError(
            f"no space left to write {final}",
            where=str(final),
            why=str(error),
            hint="free some disk space, or -o a folder on another disk",
        )
    return OutputError(
        f"cannot write {final}",
        where=str(final),
        why=str(error),
        hint="-o a folder that you may write to",
    )


def require_space(folder: Path, needed: int) -> None:
    """Refuse to start without enough disk space: converters fail obscurely on a full disk."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"no space left to write {folder.parent}",
            where=str(folder.parent),
            why=f"about {needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free",
            hint="free some disk space, or -o a folder on another disk",
        )


def listed_files(folder: Path) -> list[dict[str, object]]:
    """Return an entry for every file below `folder` but the manifest, which cannot hash itself."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    return [file_entry(path, folder) for path in paths]


def file_entry(path: Path, folder: Path) -> dict[str, object]:
    return {
        "path": path.relative_to(folder).as_posix(),
        "bytes": path.stat().st_size,
        "sha256": _sha256(path),
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
