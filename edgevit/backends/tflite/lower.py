"""Lowering of a program to a TFLite file on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from edgevit.backends.artifact import Artifact
from edgevit.backends.on_host import worker_for
from edgevit.backends.tflite.constants import stored
from edgevit.backends.tflite.convert import SIGNATURE, convert, is_quantized
from edgevit.backends.tflite.delegation import delegation
from edgevit.backends.tflite.half import halve_weights
from edgevit.backends.tflite.info import INFO
from edgevit.backends.tflite.kernels import refuse_missing_kernel
from edgevit.backends.tflite.runtime import open_interpreter
from edgevit.backends.tflite.supported import blame, require_supported
from edgevit.backends.tflite.tool import litert, quiet, versions
from edgevit.backends.unsupported import refuse_precision
from edgevit.errors import PackageError
from edgevit.graph.cheaper_passes import cheaper_passes, no_stack_traces
from edgevit.graph.known_signatures import signatures_known
from edgevit.graph.local_decompositions import local_decompositions
from edgevit.graph.program import Program, value
from edgevit.rewrites.engine import apply
from edgevit.rewrites.pools_and_padding.mean_in_steps import MeanInSteps
from edgevit.support.backend_info import is_integer


@dataclass(frozen=True)
class TFLiteFile:
    """File as the converter wrote it, which no interpreter has opened."""

    path: Path
    versions: dict[str, str]
    notes: tuple[str, ...]


_NARROWED = {torch.int64: "int32", torch.float64: "float32"}


def lower(
    program: Program,
    precision: str,
    directory: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> Artifact:
    written = write_tflite(program, precision, directory, progress)
    path = written.path
    try:
        worker_for("tflite").open(path)  # what dies in the runtime dies in a process of its own
    except PackageError as error:
        refuse_missing_kernel(error, path, program)
        raise
    with quiet():
        report = delegation(open_interpreter(path, 1), program)
    details: dict[str, object] = {
        "signature": SIGNATURE,
        "inputs": list(program.input_names),
        "outputs": list(program.output_names),
    }
    return Artifact(
        "tflite",
        precision,
        path,
        written.versions,
        written.notes,
        delegation=report,
        details=details,
        stored=stored(path) if is_quantized(program) else (),
    )


def write_tflite(
    program: Program,
    precision: str,
    directory: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> TFLiteFile:
    """Convert the program and write `<name>.tflite`."""
    refuse_precision("TFLite", precision, INFO.precisions)
    require_supported(program)
    if not is_integer(precision):
        program = apply(MeanInSteps(), program)[0]
    litert("_convert.core")
    path = directory / f"{program.name}.tflite"
    with (
        quiet() as said,
        cheaper_passes(),
        local_decompositions(),
        no_stack_traces(),
        signatures_known(),
        blame(program, said),
    ):
        convert(program, path, progress)
        if precision == "fp16":
            progress("halve the weights")
            halve_weights(path)
    return TFLiteFile(path, versions(), _notes(program))


def _notes(program: Program) -> tuple[str, ...]:
    """Return a note for each input and output whose type in the file differs from the model's."""
    inputs = [
        ("input", name, tensor.dtype)
        for name, tensor in zip(program.input_names, program.inputs, strict=True)
    ]
    returned = [
        ("output", name, value(node).dtype)
        for name, node in zip(program.output_names, program.outputs(), strict=True)
    ]
    return tuple(
        f"{side} `{name}` is {_NARROWED[dtype]} in the file ({str(dtype).removeprefix('torch.')} in the model)"
        for side, name, dtype in (*inputs, *returned)
        if dtype in _NARROWED
    )
