"""`edgevit.export` and `edgevit.inspect`, as a notebook or a script calls them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, TypedDict, Unpack, overload

from edgevit.errors import UsageError
from edgevit.evaluate import NO_EVALUATION, EvaluationOptions
from edgevit.export.inspection import inspect_model
from edgevit.export.job import ExportJob
from edgevit.export.manifest import GraphReport
from edgevit.export.pipeline import (
    export_each,
    export_one,
    quantize_model,
)
from edgevit.export.quantize_report import QuantizationReport
from edgevit.export.request import ExportRequest
from edgevit.export.result import ExportResult, ExportResults
from edgevit.export.vain import require_samples
from edgevit.frontend import ExampleInputs, Model, ModelArguments, ModelOptions, default_torch
from edgevit.quantize import GENERATED, CalibrationBatches, CalibrationOptions
from edgevit.rewrites.lossy.parser import parse_lossy
from edgevit.support.backend_options import BackendOptions, by_format
from edgevit.support.choice import Settings
from edgevit.support.progress import Stages


class ExportOptions(TypedDict, total=False):
    """Keywords of `export` beside the format. `export` says what they mean."""

    output: str | Path | None
    precision: str | None
    lossy: str | Sequence[str]
    without: Sequence[str]
    require_delegated: bool
    require_ane: bool
    require_integer: bool
    backend_options: BackendOptions | Mapping[str, BackendOptions] | None
    calibration: CalibrationOptions | Iterable[Any]
    evaluation: EvaluationOptions
    chosen: Settings | None
    progress: TextIO | None
    weights: str | None
    input_size: int | tuple[int, int] | None
    batch: int
    seed: int
    trust: bool
    mean: Sequence[float] | None
    std: Sequence[float] | None
    labels: Sequence[str] | None
    image_input: bool | None
    channels_last: bool
    inputs: str | None
    replace: str | None
    head: str


@overload
def export(
    model: Model,
    example_inputs: ExampleInputs | None = None,
    *,
    target: str,
    format: str | None = None,
    **options: Unpack[ExportOptions],
) -> ExportResult: ...


@overload
def export(
    model: Model,
    example_inputs: ExampleInputs | None = None,
    *,
    target: str,
    formats: Sequence[str],
    **options: Unpack[ExportOptions],
) -> ExportResults: ...


def export(
    model: Model,
    example_inputs: ExampleInputs | None = None,
    *,
    target: str,
    format: str | None = None,
    formats: Sequence[str] | None = None,
    output: str | Path | None = None,
    precision: str | None = None,
    lossy: str | Sequence[str] = (),
    without: Sequence[str] = (),
    require_delegated: bool = False,
    require_ane: bool = False,
    require_integer: bool = False,
    backend_options: BackendOptions | Mapping[str, BackendOptions] | None = None,
    calibration: CalibrationOptions | Iterable[Any] = GENERATED,
    evaluation: EvaluationOptions = NO_EVALUATION,
    chosen: Settings | None = None,
    progress: TextIO | None = None,
    weights: str | None = None,
    input_size: int | tuple[int, int] | None = None,
    batch: int = 1,
    seed: int = 0,
    trust: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Sequence[str] | None = None,
    image_input: bool | None = None,
    channels_last: bool = False,
    inputs: str | None = None,
    replace: str | None = None,
    head: str = "native",
) -> ExportResult | ExportResults:
    """Export a model to an artifact for a device, and verify the artifact on the example inputs.

    A live model (a module, a program, a function) is not changed: a copy of it, on the CPU, in eval
    mode and in float32, is exported. The result's `notes` say where the copy differs.

    Args:
        model: a spec (`"timm:shvit_s1"`, `"net.py:build"`, `"net.pt2"`), an `nn.Module`, a
            `torch.export.ExportedProgram`, a function of tensors, or a callable without arguments
            that returns one of these.
        example_inputs: a tensor, a tuple or list of tensors by position, or a dict of tensors by
            keyword; they may be nested. None: those that the model states. Their shapes are the
            artifact's.
        target: the device: `edgevit.targets()` lists them. Or a target file of yours.
        format: the format. None: the target's first.
        formats: several formats instead, each in a folder of its own below `output`.
        output: the folder to write. None: `out/MODEL-TARGET`.
        precision: `"fp16"`, `"fp32"` or `"int8"`, as the format has them. None: the target's.
        lossy: steps that change the outputs, by name: `"gelu=tanh"` (docs/lossy.md).
        without: names of exact rewrites to leave out.
        require_delegated: raise `DelegationError` if an op runs outside the runtime's delegate.
        require_ane: raise `EnginePlacementError` if an op is predicted to run off the Neural Engine.
        require_integer: raise `DelegationError` if a call computes in floats at a precision of integers.
        backend_options: the options of a backend, such as `FirmwareOptions`, or a dict of
            them by format.
        calibration: how ranges of integers are found: options, or the inputs themselves. Inputs are
            an iterable of tensors as the model takes them, batched or not, such as a `DataLoader`;
            of several inputs, tuples or dicts of tensors. Labels behind them are left out.
        evaluation: labelled data that the float model and the artifact are evaluated on, and how
            much accuracy the artifact may lose.
        chosen: what the format leaves open, by name (docs/tuning.md).
        progress: a stream to report the stages on, such as `sys.stderr`.
        weights: `"random"`, `"pretrained"` or a file. None: the scheme's default; a live model's own.
        input_size: height and width of a picture. Of models that do not fix it.
        batch: pictures at a time.
        seed: of random weights and random example inputs.
        trust: run code found in weight files and `.pt2` archives.
        mean: of each channel, where the model does not state it. `std` likewise.
        std: see `mean`.
        labels: a name for each class, kept in a Core ML package.
        image_input: take 0-255 pixels, with preprocessing in the artifact. None: on firmware only.
        channels_last: take and return pictures as N x H x W x C.
        inputs: example inputs as text, as `--inputs` takes them: `"image=1x3x64x64,ids=1x16:int64:100"`.
        replace: forwards of modules and functions in their place, `"blocks.*.scan=fast:scan"`, each
            compared with the original where that runs. Those from a file need `trust`.
        head: `"split"` ends the artifact at the last convolution or product, and writes what is behind
            it (boxes, topk) as `head/head.py`, compared with the model; `"keep"` leaves it in, and
            notes which of its calls leave the accelerator.

    Returns:
        With `format`, the `ExportResult`. Its `passed` is False if a stage is out of its tolerance.
        With `formats`, the `ExportResults` by format. A format that fails has its error there, and
        the others are exported.

    Raises:
        EdgevitError: the model, its inputs or an option cannot be used. `str(error)` says where, why
            and what to try. Nothing is written then.

    Example:
        result = edgevit.export(module, (torch.zeros(1, 3, 224, 224),), target="iphone")
        assert result.passed
        print(result.artifact, result.notes)
    """
    if format is not None and formats is not None:
        raise _both_formats(format, formats)
    request = ExportRequest(
        require_delegated,
        require_ane,
        require_integer,
        by_format(backend_options),
        _calibration(calibration),
        chosen or {},
        labels=labels is not None,
        evaluation=evaluation,
    )
    options = ModelOptions(
        weights,
        input_size,
        batch,
        seed,
        trust,
        mean,
        std,
        labels,
        image_input,
        channels_last,
        inputs,
        replace,
        head,
    )
    arguments = ModelArguments(model, example_inputs, options)
    job = ExportJob.validated(
        target, _several(formats) or [format], precision, lossy, without, request
    )
    with default_torch():
        export_as = export_one if formats is None else export_each
        return export_as(arguments, job, output, Stages(progress))


def inspect(
    model: Model,
    example_inputs: ExampleInputs | None = None,
    *,
    target: str | None = None,
    lossy: str | Sequence[str] = (),
    without: Sequence[str] = (),
    backend_options: BackendOptions | Mapping[str, BackendOptions] | None = None,
    calibration: CalibrationOptions = GENERATED,
    progress: TextIO | None = None,
    weights: str | None = None,
    input_size: int | tuple[int, int] | None = None,
    batch: int = 1,
    seed: int = 0,
    trust: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Sequence[str] | None = None,
    image_input: bool | None = None,
    channels_last: bool = False,
    inputs: str | None = None,
    replace: str | None = None,
    head: str = "native",
) -> GraphReport:
    """Report a model's graph, before and after the rewrites, without exporting it.

    For a microcontroller, the memory it needs is estimated too.

    Args:
        model: as for `export`. A live model is not changed.
        example_inputs: as for `export`.
        target: the device whose rules are applied. None: the rules that all targets have.
        lossy, without, backend_options, calibration, progress: as for `export`.
        weights, input_size, batch, seed, trust, mean, std, labels, image_input, channels_last, inputs, replace, head:
            as for `export`.

    Returns:
        The `GraphReport`: `print` shows it, `.text` is the graph, `.ops_after` counts its ops.

    Raises:
        EdgevitError: the model, its inputs or an option cannot be used.

    Example:
        report = edgevit.inspect(module, (torch.zeros(1, 3, 224, 224),), target="iphone")
        report.ops_after["conv2d"]
    """
    request = ExportRequest(options=by_format(backend_options), calibration=calibration)
    steps = parse_lossy(lossy)
    if target is None:
        require_samples(steps, calibration)
        request.reject_unused({}, any(step.option.calibrated for step in steps))
    job = ExportJob.validated(target, [None], None, lossy, without, request) if target else None
    options = ModelOptions(
        weights,
        input_size,
        batch,
        seed,
        trust,
        mean,
        std,
        labels,
        image_input,
        channels_last,
        inputs,
        replace,
        head,
    )
    arguments = ModelArguments(model, example_inputs, options)
    with default_torch():
        return inspect_model(arguments, job, steps, without, calibration, Stages(progress))


def quantize(
    model: Model,
    example_inputs: ExampleInputs | None = None,
    *,
    target: str,
    format: str | None = None,
    precision: str = "int8",
    lossy: str | Sequence[str] = (),
    without: Sequence[str] = (),
    backend_options: BackendOptions | Mapping[str, BackendOptions] | None = None,
    calibration: CalibrationOptions | Iterable[Any] = GENERATED,
    progress: TextIO | None = None,
    **options: Any,
) -> QuantizationReport:
    """Report what integers do to a model, layer by layer, without exporting it.

    Args:
        model, example_inputs, target, format, lossy, without, backend_options, calibration,
            progress: as for `export`.
        precision: one that computes in integers.
        options: the model's: `weights`, `input_size` and so on, as for `export`.

    Returns:
        The `QuantizationReport`: `print` shows it, `.values` has the noise of each value.

    Raises:
        EdgevitError: the model, its inputs or an option cannot be used.

    Example:
        edgevit.quantize(module, x, target="iphone", calibration=loader).values
    """
    request = ExportRequest(
        options=by_format(backend_options), calibration=_calibration(calibration)
    )
    job = ExportJob.validated(target, [format], precision, lossy, without, request)
    arguments = ModelArguments(model, example_inputs, ModelOptions(**options))
    with default_torch():
        source, quantized = quantize_model(arguments, job, Stages(progress))
    (format,) = job.formats
    return QuantizationReport(source, job.target.name, format, job.precisions[format], quantized)


def _calibration(inputs: CalibrationOptions | Iterable[Any]) -> CalibrationOptions:
    return inputs if isinstance(inputs, CalibrationOptions) else CalibrationBatches(batches=inputs)


def _several(formats: Sequence[str] | None) -> list[str | None]:
    if isinstance(formats, str):
        raise UsageError(
            "`formats` is a list of formats",
            where=f"formats={formats!r}",
            why="it is one text",
            hint=f"format={formats!r}, or formats=[{formats!r}]",
        )
    if formats is not None and not formats:
        raise UsageError(
            "`formats` names no format",
            where="formats",
            why="it is empty",
            hint="leave it out: the target's first format",
        )
    return list(formats or ())


def _both_formats(format: str, formats: Sequence[str]) -> UsageError:
    return UsageError(
        "`format` and `formats` both say what to write",
        where=f"format={format!r}, formats={list(formats)!r}",
        why="the one returns a result, the other results by format",
        hint="leave one out",
    )
