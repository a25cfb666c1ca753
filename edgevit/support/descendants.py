"""Descendants of a process, and ending a process together with its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def descendants(pid: int) -> set[int]:
    """Return all direct and indirect children, without daemons that have left their parent."""
    children = defaultdict(list)
    for child, parent in _parents().items():
        children[parent].append(child)
    family: set[int] = set()
    pending = [pid]
    while pending:
        new = set(children[pending.pop()]) - family
        family |= new
        pending += new
    return family


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends (Linux alone).

    Elsewhere a killed parent is noticed when a pipe ends.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before prctl took effect
        os._exit(128 + signal.SIGTERM)


def adopt_orphans() -> None:
    """Make this process the parent of a crashed child's children (Linux), to find and end them."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def kill_all(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _parents() -> dict[int, int]:
    if sys.platform == "linux":
        return dict(filter(None, map(_from_proc, Path("/proc").glob("[0-9]*"))))
    said = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False)
    pairs = (line.split() for line in said.stdout.splitlines())
    return {int(pair[0]): int(pair[1]) for pair in pairs if len(pair) == 2}


def _from_proc(folder: Path) -> tuple[int, int] | None:
    try:
        fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:  # it has just ended
        return None
    return int(folder.name), int(fields[1])
