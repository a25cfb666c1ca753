"""Metadata of a package.

Xcode shows it, and the app reads it as `MLModel.modelDescription.metadata`.
"""

from __future__ import annotations

import json
from typing import Any

import torch

from edgevit import __version__
from edgevit.frontend import ModelSource
from edgevit.graph.program import Program
from edgevit.graph.text import type_text


def versions(ct: Any) -> dict[str, str]:
    return {"edgevit": __version__, "coremltools": ct.__version__, "torch": torch.__version__}


def describe(
    model: Any, program: Program, source: ModelSource, tools: dict[str, str], image_input: bool
) -> None:
    """Write the metadata of an `MLModel`.

    Labels and preprocessing are JSON, so that an app can parse them.
    """
    model.author = source.origin
    model.version = tools["edgevit"]
    model.short_description = (
        f"{source.name} ({source.spec}), weights: {source.weights}. Made by edgevit."
    )
    entries: dict[str, object] = {
        "spec": source.spec,
        "origin": source.origin,
        "weights": source.weights,
        "tools": tools,
    }
    if source.preprocess is not None:
        entries["preprocess"] = source.preprocess.as_dict() | {"in_package": image_input}
    if source.labels:
        entries["labels"] = list(source.labels)
    for key, entry in entries.items():
        model.user_defined_metadata[f"edgevit.{key}"] = (
            entry if isinstance(entry, str) else json.dumps(entry)
        )
    for name, tensor in zip(program.input_names, program.inputs, strict=True):
        model.input_description[name] = _input_text(tensor, source, image_input)


def _input_text(tensor: Any, source: ModelSource, image_input: bool) -> str:
    if image_input:
        return "RGB image; it is normalised inside the model"
    how = source.preprocess
    if how is None or tensor.ndim != 4:
        return type_text(tensor)
    mean, std = (", ".join(f"{number:g}" for number in row) for row in (how.mean, how.std))
    return f"{type_text(tensor)}: (pixel / 255 - [{mean}]) / [{std}], RGB"
