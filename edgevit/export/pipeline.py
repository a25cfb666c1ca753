"""Export pipeline: resolve -> capture -> rewrite -> lower -> verify, each reported by stage."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import torch

from edgevit import __version__
from edgevit.backends import (
    Artifact,
    Backend,
    Expected,
    Lowering,
    Refining,
    backend_for,
    blamed_on_a_call,
    constant_bytes,
    program_parity,
    refuse_outputs,
    require_memory,
)
from edgevit.errors import EdgevitError
from edgevit.evaluate import Takes
from edgevit.export.automatic import FloatComparison, compare_with_floats
from edgevit.export.clock import clock
from edgevit.export.effect import require_effect
from edgevit.export.finish import leave
from edgevit.export.job import ExportJob
from edgevit.export.manifest import export_manifest
from edgevit.export.output_folder import output_folder
from edgevit.export.placed_head import head_place, with_placed_head
from edgevit.export.recorded import request_dict
from edgevit.export.reproduce import Repeated, export_command, export_snippet
from edgevit.export.request import graph_hash
from edgevit.export.result import ExportResult, ExportResults
from edgevit.export.split import checked_head, with_head_notes
from edgevit.export.stages import (
    Benchmark,
    PreparedPart,
    add_lossy,
    calibration_samples,
    capture_graph,
    image_input_of,
    lossy_steps,
    open_benchmark,
    prepare_integers,
    record_quantized,
    resolve_model,
    rewrite,
    rules_of,
    with_notes,
)
from edgevit.export.vain import no_integers
from edgevit.exported import empty, require_space, save_golden, staged
from edgevit.frontend import ModelArguments, ModelOptions, ModelSource, eager, run_others
from edgevit.graph.other_inputs import Other
from edgevit.graph.parity import Parity, Ranking
from edgevit.graph.program import Program
from edgevit.graph.ranking import rankings_of, with_rankings
from edgevit.quantize import (
    CalibrationBatches,
    QuantizedProgram,
    simulation_parity,
)
from edgevit.rewrites import engine
from edgevit.rewrites.lossy.run import LossyResult
from edgevit.rewrites.report import RewriteReport
from edgevit.snippets import require_head_forms, with_head_forms
from edgevit.support.backend_info import BACKENDS
from edgevit.support.progress import Stages

Output: TypeAlias = str | Path | None
# Rewrites leave fewer weights: parallel and successive convolutions become one. None leaves an eighth.
_LEAST_SHARE = 1 / 8


def export_one(
    model: ModelArguments, job: ExportJob, output: Output, stages: Stages
) -> ExportResult:
    """Export to the first format of the job."""
    directory = output_folder(output, model.spec, job.target)
    with staged(directory) as draft:
        captured = CapturedModel.build(model, job, stages)
        return _export_format(captured, job.formats[0], job, draft, directory)


def export_each(
    model: ModelArguments, job: ExportJob, output: Output, stages: Stages
) -> ExportResults:
    """Export to a folder per format. A format that fails has its error as its outcome."""
    root = output_folder(output, model.spec, job.target)
    captured = CapturedModel.build(model, job, stages)
    outcomes: dict[str, ExportResult | EdgevitError] = {}
    for format in job.formats:
        directory = root / format
        try:
            with staged(directory) as draft:
                outcomes[format] = _export_format(captured, format, job, draft, directory)
        except EdgevitError as error:
            outcomes[format] = error
    return ExportResults(outcomes)


@dataclass
class CapturedModel:
    """Front half that all formats share: model, outputs, graph and the common rules' result.

    With lossy steps, `program` and `expected` are those after the steps.
    """

    model: ModelArguments  # with the options resolved for the target
    source: ModelSource
    expected: tuple[torch.Tensor, ...]
    others: tuple[Other, ...]  # outputs for inputs of other statistics
    program: Program
    graph: str  # hash of the program as captured
    lossy: LossyResult | None
    stages: Stages
    states: engine.States | None  # graphs after leading rules, cached for the other formats
    rankings: tuple[Ranking, ...] = ()  # where outputs are in order of a score
    integers: PreparedPart | None = None  # for the formats in integers
    benchmark: Benchmark | None = None  # with `--evaluate`

    @classmethod
    def build(
        cls, model: ModelArguments, job: ExportJob, stages: Stages, prepared: bool = True
    ) -> CapturedModel:
        source = resolve_model(model := job.with_kept_buffers(model), job.target, stages)
        if source.chosen_weights:  # a repetition elsewhere takes the same
            options = replace(model.options, weights=source.chosen_weights)
            model = replace(model, options=options)
        if model.options.head == "split":
            source = with_placed_head(source, job, stages, partial(_lowered_whole, model, job))
        parameters = {name: p.numel() for name, p in source.module.named_parameters()}
        job.require_room(parameters, _LEAST_SHARE)
        # First: a capture may leave its own tensors in the model's attributes.
        expected = eager(source)(source.inputs)
        others = () if job.target.is_microcontroller else run_others(eager(source), source.inputs)
        program = capture_graph(source, stages)
        if source.split:
            head = with_head_forms(source.split.head)
            require_head_forms(head)
            source = replace(source, split=replace(source.split, head=head))
        if job.target.is_microcontroller:
            options = replace(model.options, image_input=source.takes_pixels)
            model = replace(model, options=options)
        job.request.require_graph(program)
        graph = graph_hash(program)
        image_input = image_input_of(source, model)
        benchmark = None
        evaluation = job.request.evaluation
        if prepared and evaluation.evaluate is not None:
            takes = Takes(source.inputs, image_input)
            benchmark = open_benchmark(program, takes, source.labels, evaluation, stages)
        samples = calibration_samples(program, job.request.calibration, image_input, stages)
        part = lossy_steps(program, job.lossy, job.without, expected, samples, stages)
        if part is not None:
            program, expected = part.loss.program, part.loss.outputs
            others = run_others(program.run, source.inputs) if others else ()
        rankings = rankings_of(program, source.inputs)
        others = with_rankings(program, others) if rankings else others
        states: engine.States | None = {} if len(job.formats) > 1 else None
        integers = None
        if source.is_trained:
            job.require_pictures()
        if prepared and any(map(job.calibrated, job.formats)):
            integers = prepare_integers(program, image_input, job, stages)
        return cls(
            model, source, expected, others, program, graph, part, stages, states, rankings, integers, benchmark,
        )  # fmt: skip


def _lowered_whole(
    model: ModelArguments, job: ExportJob, source: ModelSource, program: Program, format: str, folder: Path
) -> Artifact:  # fmt: skip
    captured = CapturedModel(model, source, (), (), program, "", None, Stages(), None)
    rewritten, _ = rewritten_for(captured, format, job, Stages())
    return _lowered(captured, backend_for(format, job.target), job, format, rewritten, folder)


def _export_format(
    captured: CapturedModel, format: str, job: ExportJob, draft: Path, directory: Path
) -> ExportResult:
    backend = backend_for(format, job.target)
    stages = captured.stages.fork()
    refuse_outputs(captured.program, BACKENDS[format].title)
    part = captured.integers if job.calibrated(format) else None
    rewritten, rewrites = rewritten_for(captured, format, job, stages)
    rewrites = add_lossy(part.added_to(rewrites) if part else rewrites, captured.lossy)
    inputs, original = captured.source.inputs, captured.program
    expected = Expected(inputs, captured.expected, rewritten, (), (), captured.rankings, original)
    parity = [*([captured.lossy.captured] if captured.lossy else []), program_parity(expected)]
    require_space(draft, 2 * constant_bytes(rewritten) + (1 << 20))
    require_memory(rewritten, BACKENDS[format].title)
    scheme, quantized = job.scheme(format), None
    if part and scheme:
        timed = clock(partial(_lowered, captured, backend, job, format), inputs)
        quantized = part.quantized(rewritten, scheme, stages, timed, captured.benchmark)
    if quantized:
        require_effect(quantized, BACKENDS[format], job.precisions[format], job.target)
        job.request.check_integers(quantized.placement)
        rewritten = quantized.program
        parity.append(simulation_parity(quantized.held_out, job.precisions[format]))
    lowering = lowering_of(captured, backend, job, format, rewritten, draft, stages, quantized)
    with blamed_on_a_call(backend, lowering, format):
        with stages.stage("lower", f"lower to {format} for {job.target.title}"):
            artifact = backend.lower(lowering)
        job.request.check_requirements(artifact)
        held_out = quantized.held_out if quantized else artifact.held_out
        with stages.stage("verify", f"check the saved {format} artifact"):
            others = () if held_out else captured.others
            expected = replace(expected, program=rewritten, others=others, held_out=held_out)
            artifact, checked = _checked(backend, lowering, artifact, expected)
            job.request.check_requirements(artifact)
            parity += checked
            if split := captured.source.split:
                whole = None if captured.lossy else artifact
                parity += checked_head(draft, split, captured.others, whole)
    if captured.benchmark is not None:
        artifact = captured.benchmark.measured(artifact, quantized, stages)
    names = {n for one in parity if one.precision == artifact.precision for n in one.inputs}
    shown = [other for other in captured.others if other.name in names]
    more = (shown, held_out, captured.rankings, expected.measured_rounding)
    save_golden(draft, inputs, captured.expected, *more)
    artifact = with_notes(artifact, quantized, part, captured.lossy)
    artifact = with_head_notes(artifact, captured.program, captured.model.options.head)
    if format in job.automatic:
        comparison = _with_floats(artifact, captured, backend, job, stages)
        if comparison.instead is not None:
            empty(draft)
            job = job.written_as(format, comparison.instead)
            return _export_format(captured, format, job, draft, directory)
        artifact = replace(artifact, notes=(*comparison.notes, *artifact.notes))
    if quantized:
        artifact = record_quantized(artifact, quantized, draft)
    manifest = _leave(draft, captured, job, artifact, rewritten, rewrites, parity, stages)
    return ExportResult(
        directory, directory / artifact.path.name, tuple(parity), rewrites, manifest
    )


def _checked(
    backend: Backend, lowering: Lowering, artifact: Artifact, expected: Expected
) -> tuple[Artifact, tuple[Parity, ...]]:
    """Check the artifact. One that departs is replaced where the backend can write a nearer one."""
    checked = backend.check(artifact, expected)
    if isinstance(backend, Refining) and not all(one.passed for one in checked):
        refined = backend.refine(lowering, artifact, expected, checked)
        if refined is not None:
            return refined, backend.check(refined, expected)
    return artifact, checked


def _with_floats(
    artifact: Artifact, captured: CapturedModel, backend: Backend, job: ExportJob, stages: Stages
) -> FloatComparison:
    """Return why the precision is what it is, and how it compares with floats."""
    format, inputs = artifact.format, captured.source.inputs

    def lower(precision: str, folder: Path) -> Artifact:
        floats = replace(job, precisions={**job.precisions, format: precision})
        program, _ = rewritten_for(captured, format, floats, Stages())
        return _lowered(captured, backend, floats, format, program, folder)

    with stages.stage("compare", f"compare {format} with floats"):
        return compare_with_floats(job.automatic[format], artifact, inputs, job.target, lower)


def _lowered(
    captured: CapturedModel, backend: Backend, job: ExportJob, format: str, program: Program, folder: Path
) -> Artifact:  # fmt: skip
    return backend.lower(lowering_of(captured, backend, job, format, program, folder, Stages()))


def rewritten_for(
    captured: CapturedModel, format: str, job: ExportJob, stages: Stages
) -> tuple[Program, RewriteReport]:
    """Apply the rules of one format, to the prepared program where its ranges are calibrated."""
    rules = rules_of(backend_for(format, job.target), format, job.without, job.request)
    part = captured.integers if job.calibrated(format) else None
    if part is not None:
        return rewrite(part.prepared.program, rules, stages, part.states)
    return rewrite(captured.program, rules, stages, captured.states)


def lowering_of(
    captured: CapturedModel,
    backend: Backend,
    job: ExportJob,
    format: str,
    program: Program,
    draft: Path,
    stages: Stages,
    quantized: QuantizedProgram | None = None,
) -> Lowering:
    def at_size(size: int) -> Lowering:
        options = replace(captured.model.options, input_size=size)
        model = replace(captured.model, options=options)
        smaller = CapturedModel.build(model, job, Stages(), False)
        rewritten, _ = rewritten_for(smaller, format, job, Stages())
        return lowering_of(smaller, backend, job, format, rewritten, draft, stages)

    return Lowering(
        program,
        captured.source,
        job.target,
        job.precisions[format],
        draft,
        stages.note,
        bool(captured.model.options.image_input),
        captured.model.options.channels_last,
        job.request.options_for(format),
        job.request.calibration,
        captured.integers.prepared.calibration if captured.integers else None,
        quantized,
        at_size,
    )


def quantize_model(
    model: ModelArguments, job: ExportJob, stages: Stages
) -> tuple[ModelSource, QuantizedProgram]:
    """Quantise a model for the job's format, without lowering it."""
    (format,) = job.formats
    scheme, precision = job.scheme(format), job.precisions[format]
    if scheme is None:
        raise no_integers(format, precision)
    captured, backend = CapturedModel.build(model, job, stages), backend_for(format, job.target)
    assert captured.integers is not None
    rewritten, _ = rewritten_for(captured, format, job, stages)
    timed = clock(partial(_lowered, captured, backend, job, format), captured.source.inputs)
    quantized = captured.integers.quantized(rewritten, scheme, stages, timed)
    require_effect(quantized, BACKENDS[format], precision, job.target)
    return captured.source, quantized


def _leave(
    draft: Path,
    captured: CapturedModel,
    job: ExportJob,
    artifact: Artifact,
    rewritten: Program,
    rewrites: RewriteReport,
    parity: Sequence[Parity],
    stages: Stages,
) -> dict[str, object]:
    """Write the manifest, and the companion files beside the artifact."""
    ours = {"edgevit": __version__, "python": platform.python_version()}
    versions = {**ours, "torch": torch.__version__, **artifact.versions}
    usual = ModelOptions()
    options = {k: v for k, v in vars(captured.model.options).items() if v != getattr(usual, k)}
    manifest = export_manifest(
        captured.source,
        options | head_place(captured.source),
        job.target,
        artifact,
        rewrites,
        captured.lossy,
        parity,
        stages,
        versions,
        {"graph": captured.graph, "chosen": dict(job.request.chosen)},
        from_python=captured.model.from_python,
    )
    repeated = Repeated(
        captured.model,
        job.target,
        artifact.format,
        artifact.precision,
        options,
        job.lossy,
        job.without,
        job.request.chosen,
        job.request.options.get(artifact.format),
        job.request.calibration,
    )
    manifest["request"] = request_dict(repeated)
    manifest["command"] = (
        export_snippet(repeated, captured.source)
        if captured.model.from_python or isinstance(repeated.calibration, CalibrationBatches)
        else export_command(repeated)
    )
    facts = Expected(captured.source.inputs, captured.expected, rewritten)
    leave(draft, manifest, artifact, facts, captured.program)
    return manifest
