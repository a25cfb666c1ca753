"""Import of ultralytics that neither asks the network, installs packages nor writes into the home folder.

Imported by itself, it looks a host up, writes its settings, and puts its own `torch.save` in torch's place.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from edgevit.errors import MissingToolError, WeightsError
from edgevit.frontend.trial import first_line


def imported(offline: bool) -> Any:
    """Return the package. `offline`: it may not look for a network."""
    if module := sys.modules.get("ultralytics"):
        return module
    with tempfile.TemporaryDirectory() as settings, _alone(settings, offline):
        try:
            import ultralytics
        except ImportError as error:
            raise MissingToolError(
                "ultralytics is not installed",
                why=first_line(error),
                hint="pip install 'edgevit[ultralytics]' (its licence is AGPL-3.0)",
            ) from error
    return ultralytics


def tasks() -> Any:
    """Return the package's module that has the classes of nets."""
    return import_module("ultralytics.nn.tasks")


def downloaded(name: str, if_at_hand: bool) -> Path:
    """Return the released checkpoint of a net in torch's cache, after a download where it is not there."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / f"{name}.pt"
    if file.is_file():
        return file
    why = "they are not in torch's cache"
    if not if_at_hand:
        why = _download(file)
    if file.is_file():
        return file
    raise WeightsError(
        f"ultralytics' weights for `{name}` are not at hand",
        where=str(file),
        why=why,
        hint="--weights pretrained downloads them"
        if if_at_hand
        else "go online once (they are cached), give --weights FILE, or use random",
    )


def _download(file: Path) -> str:
    """Download a checkpoint; return why it is not there where that did not succeed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        import_module("ultralytics.utils.downloads").attempt_download_asset(str(file))
    except Exception as error:  # a library's own, and the network's
        return first_line(error)
    return "ultralytics releases no file of that name"


@contextmanager
def _alone(settings: str, offline: bool) -> Iterator[None]:
    environment, save = dict(os.environ), torch.save
    os.environ |= {"YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}
    os.environ |= {"YOLO_OFFLINE": "true"} if offline else {}
    os.environ.setdefault("YOLO_CONFIG_DIR", settings)
    try:
        yield
    finally:
        torch.save = save
        os.environ.clear()
        os.environ.update(environment)
