"""Checks of paths before they are opened, and limits on the unpacked size of archives."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

_UNFOLDED = 64 << 20  # unpacked bytes allowed for any archive
_RATIO = 20  # unpacked to packed size; weights and pictures compress less


def why_no_file(path: Path) -> str:
    """Return the reason to refuse to read `path`, empty for a regular file.

    A pipe could block for ever, and a device never ends.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # ValueError: NUL in the name
        why = getattr(error, "strerror", None) or str(error)
        return why[:1].lower() + why[1:]
    if stat.S_ISREG(mode):
        return ""
    kinds = {stat.S_IFIFO: "pipe", stat.S_IFDIR: "folder", stat.S_IFSOCK: "socket"}
    return f"it is no file but a {kinds.get(stat.S_IFMT(mode), 'device')}"


def why_unfolds(archive: zipfile.ZipFile, size: int) -> str:
    """Return the reason to refuse to unpack an archive of `size` bytes, empty for a sound one.

    No member is read.
    """
    names = archive.namelist()
    if len(set(names)) != len(names):
        return "two of its members have the same name"
    unfolded = sum(info.file_size for info in archive.infolist())
    if unfolded > max(_UNFOLDED, _RATIO * size):
        return f"its {size:,} bytes unfold to {unfolded:,}"
    return ""


def why_outside(folder: Path, name: object) -> str:
    """Return the reason why an untrusted name is not inside `folder`, empty if it is.

    Links are resolved.
    """
    if not isinstance(name, str) or not name:
        return "it is no name"
    if os.path.isabs(name) or "\\" in name or ".." in name.split("/"):
        return "it leads out of the folder"
    try:
        inside = (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:  # NUL; a link to itself
        return str(error)
    return "" if inside else "it is a link that leads out of the folder"
