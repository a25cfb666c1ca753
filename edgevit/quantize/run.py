"""Quantise stage: a program, calibration inputs and a scheme become a program with quantize and dequantize pairs.

Ranges and weights are fitted on one half of the calibration inputs. The other half decides which
of the ways to choose them leaves the least noise, and is what the report speaks of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.program import Inputs, Program
from edgevit.quantize.calibration import Calibration
from edgevit.quantize.calibration_checks import calibration_dict
from edgevit.quantize.choice import EarlierChoices, IntegerChoice, Question
from edgevit.quantize.encoding import Grid
from edgevit.quantize.goals import MixedGoal
from edgevit.quantize.held_out import HeldOut, Judges, simulated_snr
from edgevit.quantize.mixed_precision import (
    MixedTypes,
    earlier_worst_calls,
    find_types,
    worst_calls,
)
from edgevit.quantize.noise import waterfall
from edgevit.quantize.noise_report import NOISY, NoiseReport
from edgevit.quantize.placement import IntegerPlacement, place
from edgevit.quantize.qdq import with_pairs
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.stream_choice import with_stream
from edgevit.quantize.trained import without_pairs
from edgevit.quantize.trial import (
    EarlierFloats,
    EarlierWay,
    Fitting,
    Method,
    Trial,
    TrialResult,
)
from edgevit.quantize.weights import RoundedWeight

_CLEAR = 25.0  # dB: a net of more noise may multiply what wider steps add
_FITTED = 8  # runs of those that chose the ranges, for the ratio on them
_SHOWN = 4  # runs that the waterfall is made of
_WORTH = 2.5  # dB that they must bring, in one way: another may add some tenths
_LOUD = 15.0  # dB: with noise of more than a sixth, answers change by dozens
_WORTH_IF_LOUD = 1.0  # dB
_WORST_CALLS = "the worst calls in floats"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class QuantizedProgram:
    """The simulation, which torch runs and converters lower, and where it came from."""

    program: Program
    original: Program
    scheme: QuantScheme
    placement: IntegerPlacement
    encodings: Mapping[Node, Grid]
    weights: Mapping[Node, RoundedWeight]
    held_out: tuple[HeldOut, ...]
    report: NoiseReport
    calibration: Calibration
    types: Mapping[str, str]  # of values that have another than the scheme's
    mixed: MixedTypes | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what a user should know of the calibration inputs."""
        return (*self.calibration.notes, *self.report.warnings, *self._wider_weights())

    def _wider_weights(self) -> tuple[str, ...]:
        """Say which weights have more bits than the precision's name says."""
        counts = Counter(kind(node) for node in self.weights if not self.scheme.narrows(kind(node)))
        if not counts:
            return ()
        listed = ", ".join(f"{name} ({count}x)" for name, count in counts.items())
        narrow = ", ".join(sorted(self.scheme.narrow or ()))
        return (
            f"weights of {listed} have 8 bits: the runtime reads {self.scheme.weight_bits} bits "
            f"in {narrow} alone",
        )

    def choice(self) -> IntegerChoice:
        """Return what the trials chose, without the program."""
        return IntegerChoice(
            {node.name: grid for node, grid in self.encodings.items()},
            {node.name: weight for node, weight in self.weights.items()},
            self.held_out,
            self.report,
            self.types,
        )

    def as_dict(self) -> dict[str, object]:
        facts = {
            "calibration": calibration_dict(self.calibration),
            "warnings": list(self.warnings),
            **self.report.as_dict(),
        }
        return {**facts, "mixed": self.mixed.as_dict()} if self.mixed else facts


def quantize_program(
    program: Program,
    calibration: Calibration,
    scheme: QuantScheme,
    types: Mapping[str, str] | None = None,
    progress: Progress = lambda _: None,
    compensates: bool = True,
    goal: MixedGoal | None = None,
    earlier: EarlierChoices | None = None,
) -> QuantizedProgram:
    """Quantise a program as `scheme` says; `types` gives single values another type.

    Without `compensates` the inputs choose no weight: they are noise. With a `goal`, the values
    that the scheme's bits do not hold are searched for. `earlier` choices of the same inputs are
    taken where they fit, and added to.
    """
    calibration.check(program)
    scheme = with_stream(program, scheme, *halves(calibration.inputs), earlier)
    if earlier is None or types or goal is not None:
        return _tried(program, calibration, scheme, types or {}, progress, compensates, goal)
    plain = without_pairs(program)[0]
    placement = place(plain, scheme)
    question = Question.of(program, scheme, placement, compensates)
    choice = earlier.answer(question)
    if choice is not None:
        if choice.types:
            placement = place(plain, scheme, choice.types)
        return _repeated(plain, calibration, scheme, placement, choice)
    quantized = _tried(program, calibration, scheme, {}, progress, compensates, None, earlier)
    earlier.add(question, quantized.choice())
    return quantized


def _repeated(
    program: Program,
    calibration: Calibration,
    scheme: QuantScheme,
    placement: IntegerPlacement,
    choice: IntegerChoice,
) -> QuantizedProgram:
    here = {node.name: node for node in program.graph.nodes}
    encodings = {here[name]: grid for name, grid in choice.encodings.items()}
    weights = {here[name]: weight for name, weight in choice.weights.items()}
    return QuantizedProgram(
        with_pairs(program, placement, encodings, weights, scheme),
        program,
        scheme,
        placement,
        encodings,
        weights,
        choice.held_out,
        replace(choice.report, islands=placement.islands),
        calibration,
        choice.types,
    )


def _tried(
    program: Program,
    calibration: Calibration,
    scheme: QuantScheme,
    types: Mapping[str, str],
    progress: Progress,
    compensates: bool,
    goal: MixedGoal | None,
    earlier: EarlierChoices | None = None,
) -> QuantizedProgram:
    fitted, held_out = halves(calibration.inputs)
    progress("calibrate")
    known_values = earlier.known_values if earlier else None
    trial = Trial.begin(
        program, scheme, fitted, held_out, types, compensates, known_values=known_values
    )
    progress("choose ranges and weights")
    choice = _choose(trial, earlier.way(scheme) if earlier else None, goal, progress)
    trial, best = choice.trial, choice.result
    if earlier is not None:
        earlier.add_way(scheme, choice.way)
    quantized = best.simulation
    has_trained_pairs = trial.program is not program
    some = fitted[:_FITTED]
    expected = program.run_all(some) if has_trained_pairs else trial.recorded.outputs[:_FITTED]
    fitted_runs = Judges.knowing(program, some, expected).of_simulation(quantized)
    inside = simulated_snr(fitted_runs)
    values = waterfall(trial.program, quantized, held_out[:_SHOWN])
    report = NoiseReport(inside, best.snr, choice.methods, trial.placement.islands, values)
    return QuantizedProgram(
        quantized,
        trial.program,
        scheme,
        trial.placement,
        best.encodings,
        best.weights,
        best.held_out,
        report,
        calibration,
        trial.types,
        choice.mixed,
    )


class _Choice(NamedTuple):
    """Types, ranges and weights that the trials ended with."""

    trial: Trial
    result: TrialResult
    methods: tuple[Method, ...]
    way: EarlierWay  # for the formats that follow
    mixed: MixedTypes | None = None


def _choose(
    trial: Trial, earlier: EarlierWay | None, goal: MixedGoal | None, progress: Progress
) -> _Choice:
    widens = goal is None and _may_widen(trial)
    if earlier and earlier.floats and widens:
        again = earlier_worst_calls(trial, earlier.floats)
        if again is not None and again.way is not None:
            method = Method(_WORST_CALLS, earlier.snr, again.snr, True)
            methods = (method, *again.way.methods)
            return _Choice(trial.with_types(again.types), again.way.result, methods, earlier)
    chosen = trial.best(earlier)
    best, fitting, methods, _ = chosen
    way = chosen.for_others()
    if goal is not None:
        progress("search for values that need more bits")
        mixed = find_types(trial, best, fitting, goal)
        more = Method("more bits for some", best.snr, mixed.result.snr, True)
        methods = (*methods, more, *mixed.methods)
        return _Choice(trial.with_types(mixed.types), mixed.result, methods, way, mixed)
    in_vain = earlier is not None and earlier.floats_in_vain and earlier.is_as_good(best.snr)
    if widens and best.snr < NOISY and not in_vain:
        progress("search for calls that make most of the noise")
        worth = _WORTH_IF_LOUD if best.snr < _LOUD else _WORTH
        few = worst_calls(trial, best, fitting, worth)
        methods = (*methods, Method(_WORST_CALLS, best.snr, few.snr, few.way is not None))
        if few.way is None:
            return _Choice(trial, best, methods, way._replace(floats_in_vain=True))
        floats = EarlierFloats(frozenset(few.types), few.way.for_others())
        methods = (*methods, *few.way.methods)
        trial = trial.with_types(few.types)
        return _Choice(trial, few.way.result, methods, way._replace(floats=floats))
    if _may_have_room(trial) and best.snr >= _CLEAR:
        best, more = trial.with_room(best, fitting)
        methods = (*methods, *more)
    return _Choice(trial, best, methods, way._replace(floats_in_vain=in_vain))


def _may_widen(trial: Trial) -> bool:
    """Check that single calls may compute in floats without being asked for: not on ranges of noise."""
    return trial.scheme.float_worst and _chooses(trial)


def _may_have_room(trial: Trial) -> bool:
    """Check that ranges are chosen here, of pictures like those that the model will see."""
    return _chooses(trial) and bool(trial.placement.encoded())


def _chooses(trial: Trial) -> bool:
    """Check that nobody has asked for types or ranges, and that the inputs are not noise."""
    asked = trial.scheme.mixed or trial.types or trial.trained.values
    return trial.compensates and not asked


def plain_simulation(program: Program, runs: Sequence[Inputs], scheme: QuantScheme) -> Program:
    """Return the simulation with the ranges that were seen, and weights rounded to the nearest."""
    return (
        Trial.begin(program, scheme, runs, (), {}, False, plain=True).attempt(Fitting()).simulation
    )


def halves(inputs: Sequence[Inputs]) -> tuple[tuple[Inputs, ...], tuple[Inputs, ...]]:
    """Split the runs into those that fit and those that judge; a single run does both."""
    return tuple(inputs[::2]), tuple(inputs[1::2]) or tuple(inputs)
