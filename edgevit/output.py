"""The folder an export leaves: built beside its final place and moved there whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edgevit.errors import OutputError
from edgevit.support.supervised import tell

MANIFEST = "edgevit.json"
_MARK = ".edgevit-"


@contextlib.contextmanager
def staged(final: Path) -> Iterator[Path]:
    """A folder to write into. It becomes `final` when the block ends well, and goes away when it does not."""
    final = Path(os.path.abspath(final))  # not resolve(): a link to a folder stays a link
    _require_replaceable(final)
    with _explained(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        sweep(final)
        draft = final.with_name(f".{final.name}{_MARK}{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        tell(final)
    try:
        with _explained(final):
            yield draft
            _move(draft, final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _move(draft: Path, final: Path) -> None:
    old = draft.with_name(draft.name + ".old")
    if final.exists():
        os.replace(final, old)
    try:
        os.replace(draft, final)
    except OSError:
        if old.exists():
            os.replace(old, final)
        raise
    shutil.rmtree(old, ignore_errors=True)


def remove(path: Path) -> None:
    """A file, or a folder with all it holds."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _require_replaceable(final: Path) -> None:
    """Only an empty folder, or one that holds an export and nothing else, is ever replaced."""
    if not os.path.lexists(final):
        return
    if final.is_symlink() or not final.is_dir():
        raise OutputError(f"{final} is not a folder", hint="-o another folder")
    present = {path.name for path in final.iterdir()}
    strangers = present - _exported_names(final)
    if strangers:
        raise OutputError(
            f"{final} holds files that are not an export of ours",
            why=", ".join(sorted(strangers)[:5]),
            hint="-o a new folder, or an earlier export's",
        )


def _exported_names(final: Path) -> set[str]:
    try:
        files = json.loads((final / MANIFEST).read_text())["files"]
        return {Path(entry["path"]).parts[0] for entry in files} | {MANIFEST}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return set()


def sweep(final: Path) -> None:
    """Drafts of exports that were killed."""
    for path in final.parent.glob(f".{final.name}{_MARK}*"):
        pid = path.name.rsplit(_MARK, 1)[-1].removesuffix(".old")
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
            why=str(error),
            hint="free some disk space, or -o a folder on another disk",
        )
    return OutputError(
        f"cannot write {final}", why=str(error), hint="-o a folder that you may write to"
    )


def require_space(folder: Path, wanted: int) -> None:
    """Asked before long work: converters answer a full disk in ways nobody understands."""
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OutputError(
            f"no space left to write {folder.parent}",
            why=f"about {wanted / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free",
            hint="free some disk space, or -o a folder on another disk",
        )


def listed_files(folder: Path) -> list[dict[str, object]]:
    """Every file below `folder` but the manifest, which cannot hold its own hash."""
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
