"""Source lines of the user's model, for errors and graph nodes."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path

from edgevit.frontend.kernels import is_of_triton

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
_LIBRARY = (
    "/torch/",
    "/edgevit/frontend/",
    "/edgevit/export/",
    "<frozen",
    "<string>",
    "<eval_with_key>",
)
_ZOO = "/edgevit/frontend/zoo/"  # models, though of ours
_STANDARD = sysconfig.get_path("stdlib")  # packages are installed below it


def source_of_trace(trace: str) -> str:
    """Return the deepest frame of a recorded stack that is not inside PyTorch:
    `timm/models/shvit.py:88`.
    """
    frames = [(path, line) for path, line, _ in _FRAME.findall(trace) if not _is_library(path)]
    return f"{short_path(frames[-1][0])}:{frames[-1][1]}" if frames else ""


def last_line_of_user(error: BaseException) -> str:
    """Return the deepest frame in the user's code.

    The frames are those of an exception, or of the stack that torch.export wrote into its text.
    """
    recorded = source_of_trace(str(error))
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_library(f.filename)]
    if frames:
        return f"{short_path(frames[-1].filename)}:{frames[-1].lineno}   {frames[-1].line or ''}".rstrip()
    return recorded


def line_now() -> str:
    """Return the deepest line that is running in the user's code."""
    frames = [f for f in traceback.extract_stack() if not _is_library(f.filename)]
    return f"{short_path(frames[-1].filename)}:{frames[-1].lineno}   {frames[-1].line or ''}".rstrip() if frames else ""  # fmt: skip


def short_path(path: str) -> str:
    """Shorten a path relative to site-packages or to the working folder, else to its last two
    parts.
    """
    for marker in ("/site-packages/", "/dist-packages/"):
        if marker in path:
            return path.split(marker)[-1]
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return "/".join(Path(path).parts[-2:])


def _is_library(path: str) -> bool:
    if _ZOO in path:
        return False
    standard = path.startswith(_STANDARD) and "-packages/" not in path
    return standard or is_of_triton(path) or any(part in path for part in _LIBRARY)
