"""`edgevit export` in a child process, to contain converters that crash or exhaust memory."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from edgevit.errors import BackendRuntimeError, revived
from edgevit.support.child import run_command


def export_apart(words: Sequence[str], limit: float | None = None) -> dict[str, Any]:
    """Run `edgevit export WORDS --json --quiet` and return its manifest with its folder.

    Raises the export's error.
    """
    with _lock("LOCK_SH") as lock:
        # The child holds the lock too: if it outlives this process, it still blocks measurements.
        shared = () if lock is None else (lock,)
        try:
            done = run_command(["export", *words, "--json", "--quiet"], limit, shared)
        except subprocess.TimeoutExpired as error:
            raise BackendRuntimeError(
                "the export did not end",
                where=" ".join(words[:1]),
                why=f"no result in {limit:.0f} s",
                hint="a smaller model, or `edgevit export` by itself to see where it stays",
            ) from error
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:]
        raise BackendRuntimeError(
            "the export died",
            where=" ".join(words[:1]),
            why="\n".join([f"exit code {done.code}", *last]),
            hint="`edgevit export` alone shows the whole error",
        ) from None
    if "error" in said:
        raise revived(said)
    return said


@contextlib.contextmanager
def exclusive_machine_lock() -> Generator[None]:
    """Lock out this user's isolated exports and other measurements on this machine."""
    with _lock("LOCK_EX"):
        yield


@contextlib.contextmanager
def _lock(kind: str) -> Generator[int | None]:
    try:
        import fcntl
    except ImportError:  # Windows: the user must avoid concurrent runs
        yield None
        return
    path = Path(tempfile.gettempdir()) / f"edgevit-measuring-{os.getuid()}.lock"
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:  # no writable place for a lock: the user must avoid concurrent runs
        yield None
        return
    try:
        fcntl.flock(file, getattr(fcntl, kind))
        yield file
    finally:
        os.close(file)
