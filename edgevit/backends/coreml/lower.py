"""A program -> a Core ML package on disk, and the same program at full precision to check it by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch

from edgevit.backends.artifact import Artifact
from edgevit.backends.coreml.composite import expand_composites
from edgevit.backends.coreml.exported import exported_program
from edgevit.backends.coreml.passes import FULL_PRECISION, HALF_PRECISION, ONLY_FULL_PRECISION, run_passes
from edgevit.backends.coreml.supported import is_known, require_supported
from edgevit.backends.coreml.tool import coremltools, quiet
from edgevit.frontend.source import ModelSource
from edgevit.graph.program import Program

Precision = Literal["fp16", "fp32"]


def lower(
    program: Program,
    source: ModelSource,
    *,
    minimum_os: str,
    precision: Precision,
    directory: Path,
    image_input: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Artifact:
    ct = coremltools()
    program = expand_composites(program, is_known)
    require_supported(program)
    progress("convert")
    with quiet():
        mil = ct.convert(
            exported_program(program),
            source="pytorch",
            convert_to="milinternal",
            minimum_deployment_target=ct.target[minimum_os],
            compute_precision=ct.precision.FLOAT32,
            inputs=[ct.TensorType(name=name) for name in program.input_names],
            outputs=[ct.TensorType(name=name) for name in program.output_names],
            pass_pipeline=ct.PassPipeline.EMPTY,
        )
        run_passes(mil, FULL_PRECISION)
    reference = None
    path = directory / f"{program.name}.mlpackage"
    if precision == "fp16":
        reference = directory / f"{program.name}.fp32.mlpackage"
        _save(ct, mil, reference, minimum_os, ct.precision.FLOAT32)
        with quiet():
            run_passes(mil, HALF_PRECISION)
        _save(ct, mil, path, minimum_os, ct.precision.FLOAT16)
    else:
        with quiet():
            run_passes(mil, ONLY_FULL_PRECISION)
        _save(ct, mil, path, minimum_os, ct.precision.FLOAT32)
    return Artifact(
        "coreml", precision, path, {"coremltools": ct.__version__, "torch": torch.__version__}, reference=reference
    )


def _save(ct: Any, mil: Any, path: Path, minimum_os: str, precision: Any) -> None:
    with quiet():
        model = ct.convert(
            mil,
            source="milinternal",
            convert_to="mlprogram",
            minimum_deployment_target=ct.target[minimum_os],
            compute_precision=precision,
            pass_pipeline=ct.PassPipeline.EMPTY,
            skip_model_load=True,
        )
        model.save(str(path))
