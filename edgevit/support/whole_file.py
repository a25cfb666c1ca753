"""Atomic writes of files and folders: to a per-process draft beside the place, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_MARK = ".edgevit-"


def draft_of(path: Path, suffix: str = "") -> Path:
    """Return the path of this process's draft, beside `path`."""
    return path.with_name(f".{path.name}{_MARK}{os.getpid()}{suffix}")


def drafts_left(path: Path) -> Iterator[Path]:
    """Yield the drafts of `path` whose process was killed."""
    prefix = f".{path.name}{_MARK}"
    for entry in sorted(path.parent.iterdir()):
        if entry.name.startswith(prefix) and _is_left(entry.name.removeprefix(prefix)):
            yield entry


def is_draft_left(name: str) -> bool:
    """Return True for the name of a draft whose process was killed."""
    stem, mark, rest = name.rpartition(_MARK)
    return bool(stem.startswith(".") and mark) and _is_left(rest)


def write_whole(path: Path, content: bytes) -> None:
    draft = draft_of(path)
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    for other in drafts_left(path):
        other.unlink(missing_ok=True)


def _is_left(rest: str) -> bool:
    """Return True if the process whose number begins `rest` is gone.

    A draft with this process's own number is from an earlier process: numbers are reused.
    """
    pid = rest.partition(".")[0]
    if not (pid.isascii() and pid.isdigit() and len(pid) < 10):
        return False
    return int(pid) == os.getpid() or not _is_alive(int(pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
