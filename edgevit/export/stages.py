"""Single stages of an export, each timed and reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from edgevit.backends import Backend
from edgevit.errors import UsageError, suggest
from edgevit.export.request import DEFAULT_REQUEST, ExportRequest
from edgevit.frontend import ModelArguments, ModelSource, capture
from edgevit.graph.parity import FP32, Parity, distance
from edgevit.graph.program import Program
from edgevit.quantize import (
    CalibrationOptions,
    ImageInput,
    MixedRequest,
    Prepared,
    QuantizedProgram,
    QuantScheme,
    load_calibration,
    prepare,
    quantize_prepared,
)
from edgevit.rewrites import engine
from edgevit.rewrites.lossy.parser import LossyOption
from edgevit.rewrites.lossy.run import LossyResult, apply_lossy
from edgevit.rewrites.lossy.table import OPTIONS
from edgevit.rewrites.report import RewriteReport
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD
from edgevit.support.progress import Stages
from edgevit.targets import Target


def resolve_model(model: ModelArguments, target: Target | None, stages: Stages) -> ModelSource:
    with stages.stage("resolve", f"build {model.spec}"):
        return model.build(target)


def capture_graph(source: ModelSource, stages: Stages) -> Program:
    with stages.stage("capture", "capture the graph"):
        return capture(source)


def lossy_steps(
    program: Program,
    chosen: Sequence[LossyOption],
    without: Sequence[str],
    expected: Sequence[torch.Tensor],
    stages: Stages,
) -> LossyResult | None:
    """Apply the lossy steps. `expected`: outputs of the model as the user gave it."""
    if not chosen:
        return None
    with stages.stage("lossy", f"change it as asked: {', '.join(map(str, chosen))}"):
        captured = Parity("captured", "fp32", distance(expected, program.run()), FP32)
        loss = apply_lossy(program, chosen, without, stages.note)
        return LossyResult(loss, captured, distance(expected, loss.outputs))


@dataclass(frozen=True)
class PreparedPart:
    """What the formats in integers share: the prepared program, and the rules before it."""

    prepared: Prepared
    rewrites: RewriteReport
    states: engine.States
    mixed: MixedRequest

    def added_to(self, rewrites: RewriteReport) -> RewriteReport:
        """Add the rules that ran before the preparation."""
        names = {rule.rule for rule in self.rewrites.rules}
        later = [rule for rule in rewrites.rules if rule.fired or rule.rule not in names]
        return replace(rewrites, before=self.rewrites.before, rules=(*self.rewrites.rules, *later))

    def quantized(self, program: Program, scheme: QuantScheme, stages: Stages) -> QuantizedProgram:
        """Quantise what a backend's rules have made of the prepared program."""
        with stages.stage("quantize", "choose ranges, and round"):
            return quantize_prepared(program, self.prepared, scheme, self.mixed, stages.note)


def prepare_integers(
    program: Program,
    image_input: ImageInput,
    options: CalibrationOptions,
    without: Sequence[str],
    stages: Stages,
) -> PreparedPart:
    """Rewrite and prepare a program once for all formats in integers."""
    rules = [rule for rule in STANDARD if rule.name not in without]
    with stages.stage("prepare", "calibrate, and prepare it for integers"):
        plain, report = engine.run(program, rules, stages.note)
        inputs = load_calibration(plain, options, image_input)
        prepared = prepare(plain, inputs, stages.note)
        prepared = replace(prepared, pictures=options.calibrate is not None)
        return PreparedPart(prepared, report, {}, MixedRequest.of(options))


def add_lossy(rewrites: RewriteReport, part: LossyResult | None) -> RewriteReport:
    """Add the rules that prepared the lossy steps, and report the model's own graph as `before`."""
    if part is None:
        return rewrites
    return replace(rewrites, before=part.loss.before, rules=(*part.loss.rules, *rewrites.rules))


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
