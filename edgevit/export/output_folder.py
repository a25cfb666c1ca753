"""Default output folder of an export."""

from __future__ import annotations

from pathlib import Path

from edgevit.frontend import LIVE, file_safe
from edgevit.targets import Target

_USUAL = "build"  # the callable that needs no mention


def output_folder(output: str | Path | None, model: str, target: Target) -> Path:
    return Path("out") / f"{_slug(model)}-{target.name}" if output is None else Path(output)


def _slug(model: str) -> str:
    """Return a folder name: `shvit_s1` for `timm:shvit_s1`, `net` for `path/net.py:build`.

    Two models get two names: `net-other` for `net.py:other`.
    """
    scheme, _, rest = model.rpartition(":")
    named = scheme in {"", "timm", "hf", "zoo", LIVE}
    name = Path((rest if named else scheme).rstrip("/")).name
    part = "" if named or rest == _USUAL else f"-{rest}"
    return file_safe(name.removesuffix(".py").removesuffix(".pt2") + part)
