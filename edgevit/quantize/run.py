"""Quantise stage: a program, calibration inputs and a scheme become a program with quantize and dequantize pairs.

Ranges and weights are fitted on one half of the calibration inputs. The other half decides which
of the ways to choose them leaves the least noise, and is what the report speaks of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch.fx.node import Node

from edgevit.graph.aten import argument
from edgevit.graph.program import Inputs, Program
from edgevit.quantize.calibration import Calibration
from edgevit.quantize.encoding import Grid
from edgevit.quantize.held_out import HeldOut
from edgevit.quantize.input_covariance import Moments
from edgevit.quantize.noise import Outputs, ValueNoise, snr, waterfall
from edgevit.quantize.observers import Observer
from edgevit.quantize.placement import IntegerPlacement, Island, is_weighted, operands, place
from edgevit.quantize.qdq import with_pairs
from edgevit.quantize.ranges import Several, encodings_of, pixel_inputs
from edgevit.quantize.recording import Recorded, record
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.weights import RoundedWeight, rounded_weight

_RANGES = ("min-max", "mse")  # the first is the one to beat
_SHOWN = 4  # runs that the waterfall is made of
_GAP = 3.0  # dB between the halves: above it the ranges do not carry over
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Method:
    """A way to choose ranges or weights, and the ratio on the held-out half before and after."""

    name: str
    before: float
    after: float
    taken: bool

    def as_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "before": round(self.before, 2),
            "after": round(self.after, 2),
            "taken": self.taken,
        }


@dataclass(frozen=True)
class NoiseReport:
    """What quantisation costs, measured in the simulation."""

    fitted_snr: float  # dB, on the inputs that chose the ranges
    held_out_snr: float  # dB, on the others
    methods: tuple[Method, ...]
    islands: tuple[Island, ...]
    values: tuple[ValueNoise, ...]

    @property
    def halves_disagree(self) -> bool:
        return self.fitted_snr - self.held_out_snr > _GAP

    def as_dict(self) -> dict[str, object]:
        return {
            "snr": {"fitted": round(self.fitted_snr, 2), "held_out": round(self.held_out_snr, 2)},
            "methods": [method.as_dict() for method in self.methods],
            "float_islands": [island.as_dict() for island in self.islands],
            "values": [value.as_dict() for value in self.values],
        }


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
    source: str  # of the calibration inputs

    def as_dict(self) -> dict[str, object]:
        return {"calibration": self.source, **self.report.as_dict()}


def quantize_program(
    program: Program,
    calibration: Calibration,
    scheme: QuantScheme,
    types: Mapping[str, str] | None = None,
    progress: Progress = lambda _: None,
    compensates: bool = True,
) -> QuantizedProgram:
    """Quantise a program as `scheme` says; `types` gives single values another type.

    Without `compensates` the inputs choose no weight: they are noise.
    """
    types = types or {}
    fitted, held_out = halves(calibration.check(program).inputs)
    placement = place(program, scheme, types)
    progress("calibrate")
    recorded = record(program, placement.encoded(), fitted, lambda: Several(_RANGES))
    trial = _Trial(
        program, scheme, types, placement, recorded,
        pixel_inputs(program, fitted), held_out, [program.run(x) for x in held_out], compensates,
    )  # fmt: skip
    progress("choose ranges and weights")
    best, methods = _best(trial)
    quantized = best.simulation
    inside = snr([program.run(x) for x in fitted], [quantized.run(x) for x in fitted])
    values = waterfall(program, quantized, held_out[:_SHOWN])
    report = NoiseReport(inside, best.snr, methods, placement.islands, values)
    judged = tuple(
        HeldOut(x, reference, quantized.run(x))
        for x, reference in zip(held_out, trial.expected, strict=True)
    )
    return QuantizedProgram(
        quantized,
        program,
        scheme,
        placement,
        best.encodings,
        best.weights,
        judged,
        report,
        calibration.source,
    )


def plain_simulation(program: Program, runs: Sequence[Inputs], scheme: QuantScheme) -> Program:
    """Return the simulation with the ranges that were seen, and weights rounded to the nearest."""
    placement = place(program, scheme)
    recorded = record(program, placement.encoded(), runs, lambda: Several(_RANGES[:1]), False)
    pixels = pixel_inputs(program, runs)
    trial = _Trial(program, scheme, {}, placement, recorded, pixels, (), (), False)
    return trial.simulated(*trial.fitted(_RANGES[0], compensate=False))


def halves(inputs: Sequence[Inputs]) -> tuple[tuple[Inputs, ...], tuple[Inputs, ...]]:
    """Split the runs into those that fit and those that judge; a single run does both."""
    return tuple(inputs[::2]), tuple(inputs[1::2]) or tuple(inputs)


@dataclass(frozen=True)
class _Trial:
    program: Program
    scheme: QuantScheme
    types: Mapping[str, str]
    placement: IntegerPlacement
    recorded: Recorded
    pixels: frozenset[Node]
    judges: Sequence[Inputs]
    expected: Sequence[Outputs]
    compensates: bool  # the inputs are like those that the model will see

    def attempt(self, ranges: str, compensate: bool) -> _Attempt:
        encodings, weights = self.fitted(ranges, compensate)
        simulation = self.simulated(encodings, weights)
        ratio = snr(self.expected, [simulation.run(x) for x in self.judges])
        return _Attempt(encodings, weights, simulation, ratio)

    def fitted(
        self, ranges: str, compensate: bool
    ) -> tuple[dict[Node, Grid], dict[Node, RoundedWeight]]:
        observers = {
            node: _of(several, ranges) for node, several in self.recorded.observers.items()
        }
        encodings = encodings_of(
            self.placement, observers, self.scheme, self.program, self.types, self.pixels
        )
        weights = {
            node: self._weight(node, encodings, compensate)
            for node in self.placement.calls
            if is_weighted(node)
        }
        return encodings, weights

    def simulated(
        self, encodings: Mapping[Node, Grid], weights: Mapping[Node, RoundedWeight]
    ) -> Program:
        return with_pairs(self.program, self.placement, encodings, weights, self.scheme)

    def _weight(
        self, node: Node, encodings: Mapping[Node, Grid], compensate: bool
    ) -> RoundedWeight:
        weight, bias = (
            None if name is None else self.program.constants[str(name.target)]
            for name in (argument(node, "weight"), argument(node, "bias"))
        )
        assert weight is not None
        (read,) = operands(node, self.program)
        grid = encodings.get(self.placement.carried.get(read, read))
        moments: Moments | None = self.recorded.moments.get(node) if compensate else None
        step = grid.scale if grid else 0.0
        return rounded_weight(node, weight, bias, self.scheme.form, moments, step)


@dataclass(frozen=True)
class _Attempt:
    encodings: Mapping[Node, Grid]
    weights: Mapping[Node, RoundedWeight]
    simulation: Program
    snr: float


def _of(observer: Observer, name: str) -> Observer:
    assert isinstance(observer, Several)
    return observer.observers[name]


def _best(trial: _Trial) -> tuple[_Attempt, tuple[Method, ...]]:
    """Take each way that leaves less noise on the held-out half than the best before it."""
    ranges, methods = _RANGES[0], list[Method]()
    best = trial.attempt(ranges, compensate=False)
    for name in _RANGES[1:] if trial.placement.encoded() else ():
        other = trial.attempt(name, compensate=False)
        methods.append(Method(f"{name} ranges", best.snr, other.snr, other.snr > best.snr))
        if other.snr > best.snr:
            best, ranges = other, name
    if not trial.compensates:
        return best, tuple(methods)
    other = trial.attempt(ranges, compensate=True)
    taken = other.snr > best.snr
    methods.append(Method("compensated weights", best.snr, other.snr, taken))
    return (other if taken else best), tuple(methods)
