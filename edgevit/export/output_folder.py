"""Default output folder of an export."""

from __future__ import annotations

from pathlib import Path

from edgevit.frontend import LIVE, file_safe
from edgevit.targets import Target


def output_folder(output: str | Path | None, model: str, target: Target) -> Path:
    return Path("out") / f"{_slug(model)}-{target.name}" if output is None else Path(output)


def _slug(model: str) -> str:
    """Return a folder name: `shvit_s1` for `timm:shvit_s1`, `net` for `path/net.py:build`."""
    scheme, _, rest = model.rpartition(":")
    name = rest if scheme in {"", "timm", "hf", LIVE} else scheme
    return file_safe(Path(name.rstrip("/")).name.removesuffix(".py").removesuffix(".pt2"))
