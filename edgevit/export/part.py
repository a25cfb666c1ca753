"""Export of one part of a model that was cut."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from edgevit.export.api import export
from edgevit.export.result import ExportResult
from edgevit.frontend import ModelSource
from edgevit.graph.cuts import GraphPart


def export_part(
    part: GraphPart,
    source: ModelSource,
    target: str,
    format: str,
    output: Path,
    progress: TextIO | None,
) -> ExportResult:
    """Export a part like a model of its own. One that reads the model's input takes its pixels as it did."""
    is_first = set(part.inputs) <= set(source.input_names)
    how = source.preprocess if is_first and not source.takes_pixels else None
    result = export(
        part.module, part.examples, target=target, format=format, output=output,
        progress=progress, mean=how and how.mean, std=how and how.std,
    )  # fmt: skip
    assert isinstance(result, ExportResult)
    return result
