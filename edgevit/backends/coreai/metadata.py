"""Metadata of an asset.

The app reads it as the asset's metadata; Xcode shows author and description.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from edgevit import __version__
from edgevit.backends.coreai.tool import module
from edgevit.frontend import ModelSource


def write_metadata(asset: Path, source: ModelSource, tools: dict[str, str]) -> None:
    """Write the metadata: the same program gives the same bytes.

    The runtime stamps the time of the day on it, and writes the keys in any order.
    """
    entries = _entries(source, tools)

    def describe(metadata: Any) -> None:
        metadata.author = source.origin
        metadata.model_description = (
            f"{source.name} ({source.spec}), weights: {source.weights}. Made by edgevit."
        )
        metadata.creation_date = None
        for key, entry in entries.items():
            metadata.set_custom(f"edgevit.{key}", entry)

    module("coreai.authoring").AIModelAsset.load(asset).update_metadata(describe)
    file = asset / "metadata.json"
    file.write_text(json.dumps(json.loads(file.read_text()), indent=2, sort_keys=True) + "\n")


def _entries(source: ModelSource, tools: dict[str, str]) -> dict[str, object]:
    entries: dict[str, object] = {
        "spec": source.spec,
        "origin": source.origin,
        "weights": source.weights,
        "tools": {"edgevit": __version__, **tools, "torch": torch.__version__},
    }
    if source.preprocess is not None:
        entries["preprocess"] = source.preprocess.as_dict()
    if source.labels:
        entries["labels"] = list(source.labels)
    return entries
