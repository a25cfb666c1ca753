"""Single stages of an export, each timed and reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Protocol

import torch

from edgevit.backends import Artifact, Backend, run_here
from edgevit.errors import UsageError, suggest
from edgevit.evaluate import Accuracy, EvaluationOptions, ExportAccuracy, LabelledTest, Run, Takes
from edgevit.export.request import DEFAULT_REQUEST, ExportRequest
from edgevit.frontend import ModelArguments, ModelSource, capture
from edgevit.graph.aten import op
from edgevit.graph.parity import FP32, Parity, distance
from edgevit.graph.program import Program
from edgevit.quantize import (
    BIT_MAP,
    CalibrationOptions,
    Clock,
    EarlierChoices,
    ImageInput,
    MixedRequest,
    Prepared,
    QuantizedProgram,
    QuantScheme,
    bit_map_text,
    load_calibration,
    prepare,
    quantize_prepared,
    weight_bytes,
)
from edgevit.rewrites import engine
from edgevit.rewrites.lossy.option import Samples
from edgevit.rewrites.lossy.parser import LossyOption
from edgevit.rewrites.lossy.run import LossyResult, apply_lossy
from edgevit.rewrites.lossy.table import OPTIONS, SPARSE
from edgevit.rewrites.report import RewriteReport
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD
from edgevit.support.backend_info import info_of
from edgevit.support.progress import Stages
from edgevit.targets import Target

_PRODUCTS = ("addmm", "conv1d", "conv2d", "convolution", "linear", "matmul", "mm")
_MILDER = ("mixed", "w8a16", "int8-dynamic", "w8", "fp16", "fp32")


def resolve_model(model: ModelArguments, target: Target | None, stages: Stages) -> ModelSource:
    with stages.stage("resolve", f"build {model.spec}"):
        source = model.build(target)
    if source.chosen_weights == "random":
        stages.say(f"  {source.notes[0]}")
    return source


def image_input_of(source: ModelSource, model: ModelArguments) -> ImageInput:
    """Return how a picture becomes the model's input."""
    options = model.options
    pixels = bool(options.image_input)
    return ImageInput(source.preprocess, pixels, options.channels_last, source.kept_count)


def capture_graph(source: ModelSource, stages: Stages) -> Program:
    with stages.stage("capture", "capture the graph"):
        return capture(source)


def lossy_steps(
    program: Program,
    chosen: Sequence[LossyOption],
    without: Sequence[str],
    expected: Sequence[torch.Tensor],
    samples: Samples,
    stages: Stages,
) -> LossyResult | None:
    """Apply the lossy steps. `expected`: outputs of the model as the user gave it."""
    if not chosen:
        return None
    with stages.stage("lossy", f"change it as asked: {', '.join(map(str, chosen))}"):
        captured = Parity("captured", "fp32", distance(expected, program.run()), FP32)
        loss = apply_lossy(program, chosen, without, stages.note, samples)
        return LossyResult(loss, captured, distance(expected, loss.outputs))


def calibration_samples(
    program: Program, options: CalibrationOptions, image_input: ImageInput, stages: Stages
) -> Samples:
    """Return what reads the calibration inputs, once, when a step asks for them."""
    return cache(lambda: load_calibration(program, options, image_input, stages.note).inputs)


class IntegerJob(Protocol):
    """What the preparation for integers takes from an export's job."""

    @property
    def without(self) -> Sequence[str]: ...
    @property
    def request(self) -> ExportRequest: ...
    @property
    def tried_with(self) -> QuantScheme: ...
    @property
    def first_rules(self) -> Sequence[AnyRule]: ...
    def require_room(self, weights: Mapping[str, int], share: float) -> None: ...


@dataclass(frozen=True)
class PreparedPart:
    """What the formats in integers share: the prepared program, and the rules before it."""

    prepared: Prepared
    rewrites: RewriteReport
    states: engine.States
    mixed: MixedRequest
    earlier: EarlierChoices = field(default_factory=EarlierChoices)  # of the formats before

    def added_to(self, rewrites: RewriteReport) -> RewriteReport:
        """Add the rules that ran before the preparation."""
        names = {rule.rule for rule in self.rewrites.rules}
        later = [rule for rule in rewrites.rules if rule.fired or rule.rule not in names]
        return replace(rewrites, before=self.rewrites.before, rules=(*self.rewrites.rules, *later))

    def quantized(
        self,
        program: Program,
        scheme: QuantScheme,
        stages: Stages,
        clock: Clock,
        benchmark: Benchmark | None = None,
    ) -> QuantizedProgram:
        """Quantise what a backend's rules have made of the prepared program."""
        mixed = self.mixed.timed_by(clock)
        mixed = benchmark.aimed(mixed, stages) if benchmark else mixed
        with stages.stage("quantize", "choose ranges, and round"):
            return quantize_prepared(
                program, self.prepared, scheme, mixed, stages.note, self.earlier
            )


def prepare_integers(
    program: Program, image_input: ImageInput, job: IntegerJob, stages: Stages
) -> PreparedPart:
    """Rewrite and prepare a program once for all formats in integers."""
    rules = [rule for rule in (*job.first_rules, *STANDARD) if rule.name not in job.without]
    options = job.request.calibration
    with stages.stage("prepare", "calibrate, and prepare it for integers"):
        plain, report = engine.run(program, rules, stages.note)
        job.require_room(product_weights(plain), share=1)
        inputs = load_calibration(plain, options, image_input, stages.note)
        prepared = prepare(plain, inputs, stages.note, job.tried_with)
        prepared = replace(prepared, pictures=options.calibrate is not None)
        return PreparedPart(prepared, report, {}, MixedRequest.of(options))


def record_quantized(artifact: Artifact, quantized: QuantizedProgram, draft: Path) -> Artifact:
    """Add what quantisation did to the artifact's facts, and write its bit map."""
    if quantized.scheme.mixed and quantized.types:
        text = bit_map_text(quantized.types, quantized.original)
        (draft / BIT_MAP).write_text(text, encoding="utf-8")
    facts = quantized.as_dict()
    if artifact.stored:
        sizes = weight_bytes(quantized.weights.values(), artifact.stored)
        facts["weight_bytes"] = sizes.as_dict()
    return artifact.with_details(quantization=facts)


def product_weights(program: Program) -> dict[str, int]:
    """Return how many weights each convolution and matrix product reads; of zeros none may be stored."""
    products = [call for call in program.calls() if op(call) in _PRODUCTS]
    names = {
        node.target for call in products for node in call.all_input_nodes if node.op == "get_attr"
    }
    return {str(name): int(program.constants[str(name)].count_nonzero()) for name in names}


@dataclass(frozen=True)
class Benchmark:
    """Labelled data, and the float model's accuracy on it, for all formats."""

    test: LabelledTest
    original: Accuracy
    max_drop: float | None

    def aimed(self, mixed: MixedRequest, stages: Stages) -> MixedRequest:
        """Make the limit on the drop a goal of mixed precision."""
        if self.max_drop is None:
            return mixed

        def score(run: Run) -> float:
            return self.test.accuracy(run, stages.note).top1

        goal = replace(mixed.goal, score=score, least_score=self.original.top1 - self.max_drop)
        return replace(mixed, goal=goal)

    def measured(
        self, artifact: Artifact, quantized: QuantizedProgram | None, stages: Stages
    ) -> Artifact:
        """Add the accuracy of simulation and file. Raises `BudgetError` beyond the limit."""
        simulation = None
        with stages.stage(
            "evaluate", f"evaluate {artifact.path.name} on {len(self.test.data)} samples"
        ):
            if quantized is not None:
                simulation = self.test.accuracy(quantized.program.run, stages.note)
            written = self.test.accuracy(run_here(artifact), stages.note)
        result = ExportAccuracy(self.test, self.original, simulation, written)
        result.require_drop(self.max_drop, quantized and quantized.report, _milder(artifact))
        return artifact.with_details(accuracy=result.as_dict())


def open_benchmark(
    program: Program,
    takes: Takes,
    names: Sequence[str],
    options: EvaluationOptions,
    stages: Stages,
) -> Benchmark:
    """Open the labelled data, and evaluate the model as it was given."""
    test = LabelledTest.opened(options, takes, names, program.run())
    with stages.stage("evaluate_float", f"evaluate the model on {len(test.data)} samples"):
        return Benchmark(test, test.accuracy(program.run, stages.note), options.max_drop)


def _milder(artifact: Artifact) -> list[str]:
    """Return the precisions of the format that cost less accuracy."""
    there = info_of(artifact.format).precisions
    return [p for p in _MILDER if p in there and p != artifact.precision]


def add_lossy(rewrites: RewriteReport, part: LossyResult | None) -> RewriteReport:
    """Add the rules that prepared the lossy steps, and report the model's own graph as `before`."""
    if part is None:
        return rewrites
    return replace(rewrites, before=part.loss.before, rules=(*part.loss.rules, *rewrites.rules))


def with_notes(
    artifact: Artifact,
    quantized: QuantizedProgram | None,
    part: PreparedPart | None,
    lossy: LossyResult | None,
) -> Artifact:
    """Add what quantising warns of, and zeros of lossy steps that the format has no use for."""
    warnings = quantized.warnings if quantized else part.prepared.calibration.notes if part else ()
    noisy = _noisy(artifact, quantized) if quantized and part and part.prepared.pictures else ()
    notes = (*artifact.notes, *warnings, *noisy, *_zeros_in_vain(artifact, lossy))
    return replace(artifact, notes=notes)


def _noisy(artifact: Artifact, quantized: QuantizedProgram) -> Iterator[str]:
    """Warn of outputs that are far from the float model's, and name what keeps more."""
    if quantized.report.is_noisy:
        milder = " or ".join(f"--precision {one}" for one in _milder(artifact)[:2])
        yield (
            f"{artifact.precision} leaves noise of {quantized.report.held_out_snr:.1f} dB, which may change answers: "
            f"evaluate it on labelled data{', and try ' + milder if milder else ''}"
        )


def _zeros_in_vain(artifact: Artifact, lossy: LossyResult | None) -> Iterator[str]:
    info = info_of(artifact.format)
    for step in lossy.loss.steps if lossy else ():
        if step.places and step.name in SPARSE and step.name not in info.skips_zeros:
            yield f"the zeros of `{step.name}` are kept, and no faster in {info.title}"


def rewrite(
    program: Program,
    rules: Sequence[AnyRule],
    stages: Stages,
    states: engine.States | None = None,
) -> tuple[Program, RewriteReport]:
    with stages.stage("rewrite", f"rewrite, {len(rules)} rules, each verified"):
        return engine.run(program, rules, stages.note, states)


def rules_of(
    backend: Backend | None,
    format: str,
    without: Sequence[str],
    request: ExportRequest = DEFAULT_REQUEST,
) -> tuple[AnyRule, ...]:
    rules = request.rules(backend, format) if backend else STANDARD
    preparing = (rule for option in OPTIONS.values() for rule in option.prepare)
    names = {rule.name for rule in (*rules, *preparing)}
    for name in without:
        if name not in names:
            raise UsageError(f"no rule is called `{name}`", hint=suggest(name, names))
    return tuple(rule for rule in rules if rule.name not in without)
