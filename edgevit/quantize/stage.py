"""Quantise stage of an export: the calibration inputs, and the programs that they make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from edgevit.errors import CalibrationError, UsageError
from edgevit.graph.program import Inputs, Program
from edgevit.quantize.batches import CalibrationBatches, from_batches
from edgevit.quantize.bit_map import read_bit_map, require_fits
from edgevit.quantize.calibration import Calibration, ImageInput, generated
from edgevit.quantize.calibration_checks import checked
from edgevit.quantize.choice import EarlierChoices
from edgevit.quantize.goals import Clock, MixedBudget, MixedGoal, parse_budget
from edgevit.quantize.image_folder import calibration
from edgevit.quantize.options import CalibrationOptions
from edgevit.quantize.prepare import Prepared
from edgevit.quantize.run import Progress, QuantizedProgram, quantize_program
from edgevit.quantize.scheme import QuantScheme

MIXED = "mixed"  # the precision
NOISE = "generated"  # `--calibrate generated`: asked for by name
_JUDGES = 16
_MORE = 96
_JUDGES_SEED = 500_000  # pictures other than those that choose ranges


def load_calibration(
    program: Program,
    options: CalibrationOptions,
    image_input: ImageInput,
    progress: Progress = lambda _: None,
) -> Calibration:
    """Load the inputs once, for all formats of an export, and refuse what gives no ranges."""
    if image_input.kept and not is_generated(options):
        own, states = program.inputs[: -image_input.kept], program.inputs[-image_input.kept :]
        plain = replace(program, inputs=own, input_names=program.input_names[: len(own)])
        loaded = load_calibration(plain, options, replace(image_input, kept=0), progress)
        return replace(loaded, inputs=tuple((*run, *states) for run in loaded.inputs))
    count = options.calibrate_count
    if isinstance(options, CalibrationBatches):
        return checked(from_batches(options.batches, program, count))
    path = picture_path(options)
    return checked(calibration(path, program, image_input, count=count, progress=progress))


@dataclass(frozen=True)
class MixedRequest:
    """What was asked of mixed precision: a goal, or the types of a file."""

    goal: MixedGoal
    path: Path | None = None

    @classmethod
    def of(cls, options: CalibrationOptions) -> MixedRequest:
        budget = parse_budget(options.mixed_budget) if options.mixed_budget else MixedBudget()
        path = Path(options.bit_map) if options.bit_map is not None else None
        if path is not None:
            read_bit_map(path)
        return cls(MixedGoal(options.min_snr, budget=budget), path)

    def timed_by(self, clock: Clock) -> MixedRequest:
        """Return the request with what times a file, where its budget is a time."""
        if not self.goal.budget.is_latency:
            return self
        return replace(self, goal=replace(self.goal, clock=clock))

    def types_for(self, program: Program, scheme: QuantScheme) -> dict[str, str]:
        if self.path is None:
            return {}
        types = read_bit_map(self.path)
        require_fits(types, program, scheme, self.path)
        return types


def quantize_prepared(
    program: Program,
    prepared: Prepared,
    scheme: QuantScheme,
    mixed: MixedRequest,
    progress: Progress,
    earlier: EarlierChoices | None = None,
) -> QuantizedProgram:
    """Quantise a prepared program after a backend's own rewrites."""
    types = mixed.types_for(program, scheme) if scheme.mixed else {}
    quantized = quantize_program(
        program, prepared.calibration, scheme, types, progress, prepared.pictures,
        mixed.goal if scheme.mixed and mixed.path is None else None, earlier,
    )  # fmt: skip
    methods = (*prepared.methods, *quantized.report.methods)
    return replace(quantized, report=replace(quantized.report, methods=methods))


def require_mixed(options: CalibrationOptions, precisions: Iterable[str]) -> MixedBudget:
    """Refuse options of mixed precision that no format heeds, or that cannot be read."""
    if options.of_mixed and MIXED not in precisions:
        (flag, *_) = options.of_mixed
        raise UsageError(
            f"{flag} is of mixed precision",
            where=flag,
            why=f"the export is in {', '.join(sorted(set(precisions)))}",
            hint=f"--precision {MIXED}, or without {flag}",
        )
    return MixedRequest.of(options).goal.budget


def split_judges(
    program: Program,
    calibration: Calibration,
    options: CalibrationOptions,
    image_input: ImageInput,
) -> tuple[Calibration, tuple[Inputs, ...]]:
    """Split the inputs into those that choose ranges and weights, and those that judge them.

    Judges are at equal distances: at least 8 of 16 inputs, and no more than 16. Generated inputs all choose: judges are
    generated too.
    """
    if is_generated(options):
        return calibration, generated(program, image_input, _JUDGES, _JUDGES_SEED).inputs
    inputs = calibration.inputs
    count = min(_JUDGES, max(_JUDGES // 2, len(inputs) // 4), len(inputs) // 2)
    if not count:
        return calibration, inputs
    judges = {(2 * index + 1) * len(inputs) // (2 * count) for index in range(count)}
    fitted = [place for place in range(len(inputs)) if place not in judges]
    names = tuple(calibration.names[place] for place in fitted) if calibration.names else ()
    chosen = tuple(inputs[place] for place in fitted)
    return replace(calibration, inputs=chosen, names=names), tuple(
        inputs[i] for i in sorted(judges)
    )


def more_generated(
    program: Program,
    calibration: Calibration,
    options: CalibrationOptions,
    image_input: ImageInput,
) -> Calibration:
    """Return more generated inputs, for ranges that few do not show; pictures stay as they are."""
    return generated(program, image_input, _MORE) if is_generated(options) else calibration


def is_generated(options: CalibrationOptions) -> bool:
    return picture_path(options) is None and not isinstance(options, CalibrationBatches)


def picture_path(options: CalibrationOptions) -> str | None:
    """Return the path to read; None for generated inputs, and for those of a caller."""
    if options.calibrate == NOISE or isinstance(options, CalibrationBatches):
        return None
    return options.calibrate


def require_pictures(options: CalibrationOptions, precision: str) -> None:
    """Refuse fixed ranges from noise, unless noise is asked for by name."""
    if options.calibrate is None:
        raise CalibrationError(
            f"{precision} needs pictures to choose its ranges by",
            where="--calibrate",
            why="ranges of generated noise are not those of the pictures the model will see",
            hint="--calibrate FOLDER of 32 to 256 pictures like those it will see; "
            "or --calibrate generated, to try the tools",
        )
