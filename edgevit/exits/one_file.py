"""Exported parts as functions of one file, in formats and on systems that have functions."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edgevit.backends import Functions, Part
from edgevit.errors import ParityError
from edgevit.export import ExportResult
from edgevit.exported import remove_export
from edgevit.graph.cuts import GraphPart
from edgevit.support.backend_info import BACKENDS
from edgevit.targets import Target


@dataclass(frozen=True)
class OneFile:
    """File of all parts. `places` says for each part where it is, as `exits.json` does."""

    bytes: int
    places: tuple[dict[str, Any], ...]


def functions_of(format: str, target: Target) -> Functions | None:
    """Return how the format has several functions in a file; None where it or the target has none."""
    info = BACKENDS[format]
    functions: Functions | None = info.part(info.functions) if info.functions else None
    return functions if functions and functions.runs_on(target) else None


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
    functions.join(joined, path)
    _require_same(functions, joined, path)
    for result in results:
        remove_export(result.directory)
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return OneFile(
        sum(one.stat().st_size for one in files),
        tuple({"file": path.name, "function": function} for function in joined),
    )


def _require_same(functions: Functions, joined: Mapping[str, Part], path: Path) -> None:
    """Refuse a file whose functions compute other numbers than the verified files of the parts."""
    for name, part in joined.items():
        examples = part.graph.examples
        expected = functions.open(part.artifact, None, part.precision)(examples)
        outputs = functions.open(path, name, part.precision)(examples)
        if not all(torch.equal(a, b) for a, b in zip(expected, outputs, strict=True)):
            raise ParityError(
                "the file of all exits does not compute what those of single exits do",
                where=f"{path}, function {name}",
                why="joining them changed what they compute",
                hint="export another --format, and report it",
            )
