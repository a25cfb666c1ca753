"""Exported parts as functions of one file, in formats and on systems that have functions."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.backends import Functions, Part, bytes_of, require_same_functions
from edgevit.export import ExportResult
from edgevit.exported import remove_export
from edgevit.graph.cuts import GraphPart


@dataclass(frozen=True)
class OneFile:
    """File of all parts. `places` says for each part where it is, as `exits.json` does."""

    bytes: int
    places: tuple[dict[str, Any], ...]


def join(
    functions: Functions, parts: Sequence[GraphPart], results: Sequence[ExportResult], path: Path
) -> OneFile:
    """Write the parts into one file and remove their folders."""
    joined = {
        f"exit_{number}": Part(part, result.artifact, result.manifest["precision"])
        for number, (part, result) in enumerate(zip(parts, results, strict=True), 1)
    }
    if path.is_dir():
        shutil.rmtree(path)
    assert functions.join is not None
    functions.join(joined, path)
    for name, part in joined.items():
        examples = part.graph.examples
        require_same_functions(functions, path, name, part.artifact, part.precision, examples)
    for result in results:
        remove_export(result.directory)
    return OneFile(
        bytes_of(path),
        tuple({"file": path.name, "function": function} for function in joined),
    )
