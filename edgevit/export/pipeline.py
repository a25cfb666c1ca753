"""Export pipeline: resolve -> capture -> rewrite -> lower -> verify, each reported by stage."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import torch

from edgevit import __version__
from edgevit.backends import (
    Artifact,
    Backend,
    Estimating,
    Expected,
    Lowering,
    backend_for,
    blamed_on_a_call,
    constant_bytes,
    refuse_outputs,
    require_memory,
)
from edgevit.errors import EdgevitError
from edgevit.export.finish import leave
from edgevit.export.manifest import GraphReport, export_manifest, inspect_report
from edgevit.export.output_folder import output_folder
from edgevit.export.reproduce import export_command
from edgevit.export.request import Wishes, graph_hash
from edgevit.export.result import ExportResult
from edgevit.export.stages import (
    add_lossy,
    capture_graph,
    lossy_steps,
    resolve_model,
    rewrite,
    rules_of,
)
from edgevit.exported import require_space, save_golden, staged
from edgevit.frontend import ModelOptions, ModelSource, eager, run_others
from edgevit.graph.other_inputs import Other
from edgevit.graph.parity import FP32, Parity, distance
from edgevit.graph.program import Program
from edgevit.quantize import (
    GENERATED,
    CalibrationOptions,
    QuantizedProgram,
    check_readable,
    picture_path,
    quantize_for,
    require_pictures,
    simulation_parity,
)
from edgevit.rewrites import engine
from edgevit.rewrites.lossy.parser import LossyOption, parse_lossy
from edgevit.rewrites.lossy.run import LossyResult
from edgevit.rewrites.report import RewriteReport
from edgevit.support.backend_info import BACKENDS
from edgevit.support.backend_options import BackendOptions, by_format
from edgevit.support.choice import Settings
from edgevit.support.progress import Stages
from edgevit.targets import Target, load_target


def export(
    model: str,
    *,
    target: str,
    output: str | Path | None = None,
    format: str | None = None,
    precision: str | None = None,
    lossy: str | Sequence[str] = (),
    without: Sequence[str] = (),
    require_delegated: bool = False,
    require_ane: bool = False,
    backend_options: BackendOptions | Mapping[str, BackendOptions] | None = None,
    calibration: CalibrationOptions = GENERATED,
    chosen: Settings | None = None,
    graph: str = "",
    progress: TextIO | None = None,
    **options: object,
) -> ExportResult:
    """Export a model to a verified artifact. Raises an `EdgevitError` if that is not possible."""
    labels = options.get("labels") is not None
    own = by_format(backend_options)
    wishes = Wishes(require_delegated, require_ane, own, calibration, chosen or {}, graph, labels)
    how = _How.asked(target, [format], precision, lossy, without, wishes)
    directory = output_folder(output, model, how.target)
    with staged(directory) as draft:
        front = _Front.build(model, ModelOptions(**options), how, Stages(progress))  # type: ignore[arg-type]
        return _export_one(front, how.formats[0], how, draft, directory)


def export_formats(
    model: str,
    *,
    target: str,
    formats: Sequence[str],
    output: str | Path | None = None,
    precision: str | None = None,
    lossy: str | Sequence[str] = (),
    without: Sequence[str] = (),
    require_delegated: bool = False,
    require_ane: bool = False,
    backend_options: BackendOptions | Mapping[str, BackendOptions] | None = None,
    calibration: CalibrationOptions = GENERATED,
    chosen: Settings | None = None,
    graph: str = "",
    progress: TextIO | None = None,
    **options: object,
) -> dict[str, ExportResult | EdgevitError]:
    """Export one model to a folder per format. A format that fails has its error as its result."""
    labels = options.get("labels") is not None
    own = by_format(backend_options)
    wishes = Wishes(require_delegated, require_ane, own, calibration, chosen or {}, graph, labels)
    how = _How.asked(target, formats, precision, lossy, without, wishes)
    root = output_folder(output, model, how.target)
    front = _Front.build(model, ModelOptions(**options), how, Stages(progress))  # type: ignore[arg-type]
    results: dict[str, ExportResult | EdgevitError] = {}
    for format in how.formats:
        directory = root / format
        try:
            with staged(directory) as draft:
                results[format] = _export_one(front, format, how, draft, directory)
        except EdgevitError as error:
            results[format] = error
    return results


@dataclass(frozen=True)
class _How:
    """Validated options of one export call, for all its formats."""

    target: Target
    formats: Sequence[str]
    precisions: Mapping[str, str]  # by format
    lossy: Sequence[LossyOption]
    without: Sequence[str]
    wishes: Wishes

    @classmethod
    def asked(
        cls,
        target: str,
        formats: Sequence[str | None],
        precision: str | None,
        lossy: str | Sequence[str],
        without: Sequence[str],
        wishes: Wishes,
    ) -> _How:
        """Validate the request before the expensive model build."""
        aim = load_target(target)
        chosen = list(dict.fromkeys(aim.format(format) for format in formats))
        precisions = {format: aim.precision(precision, format) for format in chosen}
        how = cls(aim, chosen, precisions, parse_lossy(lossy), without, wishes)
        for format in chosen:
            backend = backend_for(format, aim)
            wishes.refuse_vain(format, backend)
            rules_of(backend, format, without, wishes)
        wishes.refuse_unheeded({format: [precision] for format, precision in precisions.items()})
        for format, precision in precisions.items():
            if BACKENDS[format].scheme(precision) is not None:
                require_pictures(wishes.calibration, precision)
        if (path := picture_path(wishes.calibration)) is not None:
            check_readable(path)
        return how


@dataclass
class _Front:
    """Front half that all formats share: model, outputs, graph and the common rules' result.

    With lossy steps, `program` and `expected` are those after the steps.
    """

    model: str
    options: ModelOptions
    source: ModelSource
    expected: tuple[torch.Tensor, ...]
    others: tuple[Other, ...]  # outputs for inputs of other statistics
    program: Program
    graph: str  # hash of the program as captured
    lossy: LossyResult | None
    stages: Stages
    known: engine.States | None  # graphs after leading rules, cached for the other formats

    @classmethod
    def build(cls, model: str, options: ModelOptions, how: _How, stages: Stages) -> _Front:
        source = resolve_model(model, options, how.target, stages)
        # First: a capture may leave its own tensors in the model's attributes.
        expected = eager(source)(source.inputs)
        others = () if how.target.is_microcontroller else run_others(eager(source), source.inputs)
        program = capture_graph(source, stages)
        if how.target.is_microcontroller:
            options = replace(options, image_input=source.takes_pixels)
        how.wishes.require_graph(program)
        graph = graph_hash(program)
        part = lossy_steps(program, how.lossy, how.without, expected, stages)
        if part is not None:
            program, expected = part.loss.program, part.loss.outputs
            others = run_others(program.run, source.inputs) if others else ()
        known: engine.States | None = {} if len(how.formats) > 1 else None
        return cls(model, options, source, expected, others, program, graph, part, stages, known)


def _export_one(
    front: _Front, format: str, how: _How, draft: Path, directory: Path
) -> ExportResult:
    backend = backend_for(format, how.target)
    stages = front.stages.fork()
    refuse_outputs(front.program, BACKENDS[format].title)
    rewritten, rewrites = rewrite(
        front.program, rules_of(backend, format, how.without, how.wishes), stages, front.known
    )
    rewrites = add_lossy(rewrites, front.lossy)
    parity = [front.lossy.captured] if front.lossy else []
    parity.append(Parity("rewritten", "fp32", distance(front.expected, rewritten.run()), FP32))
    require_space(draft, 2 * constant_bytes(rewritten) + (1 << 20))
    require_memory(rewritten, BACKENDS[format].title)
    quantized = _quantized(front, how, format, rewritten, stages)
    if quantized is not None:
        rewritten = quantized.program
        parity.append(simulation_parity(quantized.held_out, how.precisions[format]))
    request = _lowering(front, backend, how, format, rewritten, draft, stages)
    request = replace(request, quantized=quantized)
    held_out = quantized.held_out if quantized else ()
    inputs = front.source.inputs
    with blamed_on_a_call(backend, request, format):
        with stages.stage("lower", f"lower to {format} for {how.target.title}"):
            artifact = backend.lower(request)
        how.wishes.require_met(artifact)
        with stages.stage("verify", f"check the saved {format} artifact"):
            others = () if held_out else front.others
            expected = Expected(inputs, front.expected, rewritten, others, held_out)
            parity += backend.check(artifact, expected)
    shipped = (verdict for verdict in parity if verdict.precision == artifact.precision)
    names = {name for verdict in shipped for name in verdict.inputs}
    shown = [other for other in front.others if other.name in names]
    save_golden(draft, inputs, front.expected, shown, held_out)
    if quantized is not None:
        artifact = replace(
            artifact, details={**artifact.details, "quantization": quantized.as_dict()}
        )
    manifest = _leave(draft, front, how, artifact, rewritten, rewrites, parity, stages)
    return ExportResult(
        directory, directory / artifact.path.name, tuple(parity), rewrites, manifest
    )


def _quantized(
    front: _Front, how: _How, format: str, program: Program, stages: Stages
) -> QuantizedProgram | None:
    """Quantise the program of one format; None where its precision computes in floats."""
    precision = how.precisions[format]
    scheme = BACKENDS[format].scheme(precision)
    if scheme is None:
        return None
    with stages.stage("quantize", f"quantise to {precision}"):
        return quantize_for(
            program, how.wishes.calibration, scheme, front.source.preprocess,
            front.options.channels_last, stages.note,
        )  # fmt: skip


def _lowering(
    front: _Front,
    backend: Backend,
    how: _How,
    format: str,
    program: Program,
    draft: Path,
    stages: Stages,
) -> Lowering:
    def at_size(size: int) -> Lowering:
        options = replace(front.options, input_size=size)
        smaller = _Front.build(front.model, options, how, Stages())
        rewritten, _ = rewrite(
            smaller.program, rules_of(backend, format, how.without, how.wishes), Stages()
        )
        return _lowering(smaller, backend, how, format, rewritten, draft, stages)

    return Lowering(
        program,
        front.source,
        how.target,
        how.precisions[format],
        draft,
        stages.note,
        bool(front.options.image_input),
        front.options.channels_last,
        how.wishes.options_for(format),
        how.wishes.calibration,
        at_size=at_size,
    )


def inspect(
    model: str,
    *,
    target: str | None = None,
    lossy: str | Sequence[str] = (),
    without: Sequence[str] = (),
    backend_options: BackendOptions | Mapping[str, BackendOptions] | None = None,
    calibration: CalibrationOptions = GENERATED,
    progress: TextIO | None = None,
    **options: object,
) -> GraphReport:
    """Report the graph and its rewrites without lowering.

    For a microcontroller, memory needs are estimated too. Without a target, the rules common to all
    targets are applied.
    """
    model_options = ModelOptions(**options)  # type: ignore[arg-type]
    wishes = Wishes(options=by_format(backend_options), calibration=calibration)
    if target is None:
        wishes.refuse_unheeded({})
    how = _How.asked(target, [None], None, lossy, without, wishes) if target else None
    backend = backend_for(how.formats[0], how.target) if how else None
    chosen = parse_lossy(lossy)
    stages = Stages(progress)
    source = resolve_model(model, model_options, how.target if how else None, stages)
    program = capture_graph(source, stages)
    model_options = replace(model_options, image_input=source.takes_pixels)
    part = lossy_steps(program, chosen, without, program.run(), stages) if chosen else None
    rewritten, rewrites = rewrite(part.loss.program if part else program, rules_of(backend, how.formats[0] if how else "", without), stages)  # fmt: skip
    fit = None
    if how is not None and isinstance(backend, Estimating):
        front = _Front(model, model_options, source, (), (), program, "", part, stages, None)
        with stages.stage("estimate", f"plan it for {how.target.title}"):
            fit = backend.estimate(
                _lowering(front, backend, how, how.formats[0], rewritten, Path(), stages)
            )
    aim = how.target if how else None
    return inspect_report(source, program, rewritten, add_lossy(rewrites, part), part, aim, fit)


def _leave(
    draft: Path,
    front: _Front,
    how: _How,
    artifact: Artifact,
    rewritten: Program,
    rewrites: RewriteReport,
    parity: Sequence[Parity],
    stages: Stages,
) -> dict[str, object]:
    """Write the manifest, and the companion files beside the artifact."""
    versions = {
        "edgevit": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **artifact.versions,
    }
    usual = ModelOptions()
    options = {k: v for k, v in vars(front.options).items() if v != getattr(usual, k)}
    manifest = export_manifest(
        front.source,
        options,
        how.target,
        artifact,
        rewrites,
        front.lossy,
        parity,
        stages,
        versions,
        {"graph": front.graph, "chosen": dict(how.wishes.chosen)},
    )
    manifest["command"] = export_command(
        front.model,
        how.target,
        artifact.format,
        artifact.precision,
        options=options,
        lossy=how.lossy,
        without=how.without,
        chosen=how.wishes.chosen,
        backend_options=how.wishes.options.get(artifact.format),
        calibration=how.wishes.calibration,
    )
    expected = Expected(front.source.inputs, front.expected, rewritten)
    leave(draft, manifest, artifact, expected, front.program)
    return manifest
