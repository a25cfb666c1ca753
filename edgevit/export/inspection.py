"""Inspection: the front half of an export, reported without an artifact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgevit.backends import Estimating, backend_for
from edgevit.export.job import ExportJob
from edgevit.export.manifest import GraphReport, inspect_report
from edgevit.export.pipeline import CapturedModel, lowering_of
from edgevit.export.stages import (
    add_lossy,
    calibration_samples,
    capture_graph,
    image_input_of,
    lossy_steps,
    resolve_model,
    rewrite,
    rules_of,
)
from edgevit.frontend import ModelArguments
from edgevit.quantize import CalibrationOptions
from edgevit.rewrites.lossy.parser import LossyOption
from edgevit.support.progress import Stages


def inspect_model(
    model: ModelArguments,
    job: ExportJob | None,
    lossy: Sequence[LossyOption],
    without: Sequence[str],
    calibration: CalibrationOptions,
    stages: Stages,
) -> GraphReport:
    """Report the graph and its rewrites. `job`: None without a target."""
    model, device = (job.with_kept_buffers(model), job.target) if job else (model, None)
    backend = backend_for(job.formats[0], job.target) if job else None
    source = resolve_model(model, device, stages)
    program = capture_graph(source, stages)
    image_input = image_input_of(source, model)
    samples = calibration_samples(program, calibration, image_input, stages)
    part = lossy_steps(program, lossy, without, program.run(), samples, stages) if lossy else None
    rules = rules_of(backend, job.formats[0] if job else "", without)
    rewritten, rewrites = rewrite(part.loss.program if part else program, rules, stages)
    fit = None
    if job is not None and isinstance(backend, Estimating):
        options = replace(model.options, image_input=source.takes_pixels)
        model = replace(model, options=options)
        captured = CapturedModel(model, source, (), (), program, "", part, stages, None)
        with stages.stage("estimate", f"plan it for {job.target.title}"):
            fit = backend.estimate(
                lowering_of(captured, backend, job, job.formats[0], rewritten, Path(), stages)
            )
    return inspect_report(source, program, rewritten, add_lossy(rewrites, part), part, device, fit)
