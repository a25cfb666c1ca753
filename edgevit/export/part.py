"""Export of one part of a model that was cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from edgevit.export.api import export
from edgevit.export.result import ExportResult
from edgevit.frontend import ModelSource
from edgevit.graph.cuts import GraphPart
from edgevit.graph.program import Inputs
from edgevit.quantize import GENERATED


def export_part(
    part: GraphPart,
    source: ModelSource,
    target: str,
    format: str,
    output: Path,
    progress: TextIO | None,
    samples: Sequence[Inputs] = (),
) -> ExportResult:
    """Export a part like a model of its own. One that reads the model's input takes its pixels as it did.

    `samples`: what it reads, to find ranges on; it takes no pixels then.
    """
    is_first = set(part.inputs) <= set(source.input_names)
    how = source.preprocess if is_first and not source.takes_pixels and not samples else None
    result = export(
        part.module, part.examples, target=target, format=format, output=output,
        progress=progress, mean=how and how.mean, std=how and how.std,
        calibration=samples or GENERATED,
    )  # fmt: skip
    assert isinstance(result, ExportResult)
    return result
