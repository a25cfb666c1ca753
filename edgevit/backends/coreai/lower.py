"""Lowering of a program to a Core AI asset on disk.

Inputs and outputs are float32 (int32 for int64) at either precision, so that an app's code does not change
with `--precision`; an fp16 asset casts at its border.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from edgevit.backends.artifact import Artifact
from edgevit.backends.coreai.decompositions import decompositions
from edgevit.backends.coreai.deterministic import counted_names, make_deterministic
from edgevit.backends.coreai.exact_constants import exact_constants
from edgevit.backends.coreai.forecast import forecast
from edgevit.backends.coreai.info import INFO
from edgevit.backends.coreai.lowerings import register
from edgevit.backends.coreai.metadata import write_metadata
from edgevit.backends.coreai.packed import packed
from edgevit.backends.coreai.places import recorded_places
from edgevit.backends.coreai.supported import blame, require_lowerings, require_supported
from edgevit.backends.coreai.tool import module, quiet, versions
from edgevit.backends.exported import exported_program
from edgevit.backends.placement import Placement
from edgevit.backends.unsupported import refuse_precision
from edgevit.frontend import ModelSource
from edgevit.graph.cheaper_passes import cheaper_passes
from edgevit.graph.half import in_float16
from edgevit.graph.program import Program
from edgevit.quantize import RoundedWeight

MINIMUM_OS = "iOS27"


def lower(
    program: Program,
    source: ModelSource,
    *,
    precision: str,
    directory: Path,
    weights: Collection[RoundedWeight] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Artifact:
    """Write `directory/<name>.aimodel`."""
    refuse_precision("Core AI", precision, INFO.precisions)
    require_supported(program)
    tools = versions()
    progress("convert")
    path = directory / f"{program.name}.aimodel"
    half, missing = packed(in_float16(program), weights) if precision != "fp32" else (program, 0)
    placement = write_asset(half, path)
    progress("describe")
    write_metadata(path, source, tools)
    details: dict[str, object] = {"minimum_os": MINIMUM_OS}
    notes = (f"{missing} of {len(weights)} rounded weights stay in float16",) if missing else ()
    return Artifact(
        "coreai", precision, path, tools, placement=placement, details=details, notes=notes
    )


def write_asset(program: Program, path: Path) -> Placement:
    """Convert the program as it is, save it, and predict where its operations run."""
    with quiet(), blame(program), counted_names(), exact_constants():
        converted, made_from = _converted(program)
        placement = forecast(converted, program, made_from)
        converted.save_asset(path)
    make_deterministic(path)
    return placement


def _converted(program: Program) -> tuple[Any, list[tuple[str, str]]]:
    """Return the program as Core AI has it, and the calls behind its operations."""
    torch_to_coreai = module("coreai_torch")
    with cheaper_passes():
        exported = exported_program(program).run_decompositions(decompositions())
    require_lowerings(exported, program)
    converter = torch_to_coreai.TorchConverter(mode=torch_to_coreai.TorchConverter.Mode.RELEASE)
    register(converter)
    converter.add_exported_program(
        exported, input_names=list(program.input_names), output_names=list(program.output_names)
    )
    with recorded_places(converter, exported) as made_from:
        return converter.to_coreai(), made_from
