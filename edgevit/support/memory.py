"""The memory that this machine has left for us."""

from __future__ import annotations

import os
import re
from pathlib import Path

_LIMIT = Path("/sys/fs/cgroup/memory.max")


def available_bytes() -> int | None:
    """Return the bytes available without swapping, within the container's limit; None if unknown."""
    figures = [figure for figure in (_free(), _limit()) if figure is not None]
    return min(figures, default=None)


def _free() -> int | None:
    kilobytes = re.search(r"^MemAvailable:\s+(\d+) kB", _text(Path("/proc/meminfo")), re.M)
    if kilobytes:
        return int(kilobytes[1]) << 10
    try:  # elsewhere than on Linux: all that there is
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _limit() -> int | None:
    text = _text(_LIMIT).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
