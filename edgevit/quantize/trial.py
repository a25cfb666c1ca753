"""Trials: one way after another to choose ranges and weights, judged on runs that chose none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from torch.fx.node import Node

from edgevit.graph.aten import argument
from edgevit.graph.program import Inputs, Program
from edgevit.quantize.encoding import Grid
from edgevit.quantize.held_out import HeldOut, Judges, simulated_snr
from edgevit.quantize.input_covariance import Moments
from edgevit.quantize.known_values import KnownValues, ObservedProgram
from edgevit.quantize.observers import RANGES, Observer, RangeSource
from edgevit.quantize.own_ranges import of_way
from edgevit.quantize.placement import IntegerPlacement, is_weighted, operands, place
from edgevit.quantize.qdq import with_other_grids, with_pairs
from edgevit.quantize.ranges import WIDE, Several, encodings_of, joined_values, pixel_inputs
from edgevit.quantize.recording import Recorded, record
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.trained import UNTRAINED, TrainedEncodings, without_pairs
from edgevit.quantize.value_ranges import CHOICES, GridCosts, RangeChoice, Wider, choose_ranges
from edgevit.quantize.weights import CompensatedWeights, RoundedWeight, rounded_weight

_OWN_RANGES = "a range of its own for each value"
_ALIKE = 0.5  # dB: what another format's way may leave more noise here than it does there
_RIVAL = 1.0  # dB: what was further behind the best way for another format is not tried here
_ROOMS = (1.3, 1.15)  # beyond what was seen, the widest first
# dB on the judging runs; steps that are 1.3 times as wide add 2.3 where nothing clips
_ROOM_COST = 1.5
_PLENTY = 35.0  # dB: noise that no answer depends on, so that room may cost more
_OWN = 16  # runs that the ranges of single values are judged on: what clips is in few of them


class Fitting(NamedTuple):
    """How ranges and weights are chosen."""

    ranges: str = RANGES[0]
    compensate: bool = False
    own: Mapping[str, RangeChoice] = MappingProxyType({})  # of single values, by name
    room: float = 1.0  # factor on every range

    @property
    def of_all(self) -> str | None:
        """Return the ranges of all values; None where each has its own."""
        return None if self.own else self.ranges

    def for_others(self, result: TrialResult) -> EarlierWay:
        return EarlierWay(self.of_all, self.compensate, result.snr)


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
class TrialResult:
    """Encodings and weights that one way has chosen, and the ratio on the judging runs."""

    encodings: Mapping[Node, Grid]
    weights: Mapping[Node, RoundedWeight]
    simulation: Program
    held_out: tuple[HeldOut, ...]  # the judging runs
    snr: float


class EarlierWay(NamedTuple):
    """The way that was best for another format, and the ratio that it had there."""

    ranges: str | None  # of all values; None: of each its own
    compensate: bool
    snr: float
    floats_in_vain: bool = False  # the worst calls were tried in floats, and not worth it
    floats: EarlierFloats | None = None
    others: tuple[EarlierWay, ...] | None = None  # all that were tried; None: not known

    def is_as_good(self, ratio: float) -> bool:
        return ratio >= self.snr - _ALIKE

    def rivals(self) -> Iterator[EarlierWay]:
        """Yield the other ways that were hardly worse."""
        for other in self.others or ():
            if other[:2] != self[:2] and other.snr >= self.snr - _RIVAL:
                yield other


class EarlierFloats(NamedTuple):
    """The worst calls, which compute in floats, and the way that was best for the rest then."""

    calls: frozenset[str]
    way: EarlierWay


class TrialWay(NamedTuple):
    """A way that was taken: what it made, and what was tried."""

    result: TrialResult
    fitting: Fitting
    methods: tuple[Method, ...]
    tried: tuple[EarlierWay, ...] | None = None

    def for_others(self) -> EarlierWay:
        """Return the way for the formats that follow."""
        return self.fitting.for_others(self.result)._replace(others=self.tried)


@dataclass(frozen=True)
class Trial:
    """What all ways to quantise a program share: where pairs stand, and what was observed there."""

    program: Program
    scheme: QuantScheme
    types: Mapping[str, str]
    placement: IntegerPlacement
    recorded: Recorded
    pixels: frozenset[Node]
    judges: Judges
    compensates: bool = False  # the inputs are like those that the model will see
    trained: TrainedEncodings = UNTRAINED
    rounded: dict[tuple[Node, float | None], RoundedWeight] = field(
        default_factory=dict[tuple[Node, float | None], RoundedWeight]
    )  # by the step of the input, which compensation reads
    chosen: dict[frozenset[str], dict[str, RangeChoice]] = field(
        default_factory=dict[frozenset[str], dict[str, RangeChoice]]
    )  # ranges of single values, by the calls in other types
    costs: Mapping[Node, GridCosts] = field(default_factory=dict[Node, GridCosts])  # of all formats
    compensated: CompensatedWeights = field(default_factory=CompensatedWeights)  # likewise

    @classmethod
    def begin(
        cls,
        program: Program,
        scheme: QuantScheme,
        fitted: Sequence[Inputs],
        judges: Sequence[Inputs],
        types: Mapping[str, str],
        compensates: bool,
        plain: bool = False,
        known_values: KnownValues | None = None,
    ) -> Trial:
        """Observe every value that may need an encoding, whatever the types of single ones.

        What is in `known_values` is not observed anew. With `plain` and without it, only the smallest and the largest numbers are.
        """
        whole = program
        program, trained = without_pairs(program)
        placement = place(program, scheme, types)
        before = place(program, scheme) if types else placement
        read = [source for call in before.calls for source in operands(call, program)]
        observed = list(dict.fromkeys([*placement.encoded(), *before.encoded(), *read]))
        if not scheme.rounds_activations:
            observed = []
        if plain and known_values is None:
            recorded = record(program, observed, fitted, lambda: Several(RANGES[:1]), False)
            seen = ObservedProgram(recorded, {}, Judges.of(whole, judges))
        else:
            known_values = known_values or KnownValues()
            seen = known_values.observed(program, observed, placement.copied, fitted, judges)
            if trained.values or trained.weights:
                seen = seen._replace(judges=Judges.of(whole, judges))
        pixels = pixel_inputs(program, fitted)
        return cls(
            program,
            scheme,
            types,
            placement,
            seen.recorded,
            pixels,
            seen.judges,
            compensates,
            trained,
            costs=seen.costs,
            compensated=known_values.weights if known_values else CompensatedWeights(),
        )

    def with_types(self, types: Mapping[str, str]) -> Trial:
        return replace(self, types=types, placement=place(self.program, self.scheme, types))

    def attempt(
        self, fitting: Fitting, weights: Mapping[Node, RoundedWeight] | None = None
    ) -> TrialResult:
        """Choose encodings and, unless `weights` are there already, weights."""
        encodings = self._encodings(fitting)
        compensate = fitting.compensate
        if weights is None:
            weights = {node: self._weight(node, encodings, compensate) for node in self._weighted()}
        else:
            weights = {node: weights[node] for node in self._weighted()}
        simulation = with_pairs(self.program, self.placement, encodings, weights, self.scheme)
        return self._judged(encodings, weights, simulation)

    def _with_ranges(self, fitting: Fitting, result: TrialResult) -> TrialResult:
        """Choose other encodings, and leave the weights."""
        encodings = self._encodings(fitting)
        simulation = with_other_grids(result.simulation, self.placement, encodings)
        return self._judged(encodings, result.weights, simulation)

    def _judged(
        self,
        encodings: Mapping[Node, Grid],
        weights: Mapping[Node, RoundedWeight],
        simulation: Program,
    ) -> TrialResult:
        held_out = self.judges.of_simulation(simulation)
        ratio = simulated_snr(held_out) if held_out else 0.0
        return TrialResult(encodings, weights, simulation, held_out, ratio)

    def best(self, earlier: EarlierWay | None = None) -> TrialWay:
        """Take each way that leaves less noise on the judging runs than the best before it.

        That of `earlier` alone where it is about as good here.
        """
        if earlier is not None and (again := self.repeated(earlier)):
            return again
        way, methods = Fitting(), list[Method]()
        best = self.attempt(way)
        tried = [way.for_others(best)]

        def take_if_better(name: str, fitting: Fitting, other: TrialResult) -> bool:
            nonlocal best, way
            taken = other.snr > best.snr
            methods.append(Method(name, best.snr, other.snr, taken))
            tried.append(fitting.for_others(other))
            if taken:
                best, way = other, fitting
            return taken

        for name, ranges in self._range_choices():
            take_if_better(name, ranges, self._with_ranges(ranges, best))
            if way.own:  # it has chosen among the others for each value
                break
        if not self.compensates:
            return TrialWay(best, way, tuple(methods), tuple(tried))
        compensated = way._replace(compensate=True)
        taken = take_if_better("compensated weights", compensated, self.attempt(compensated))
        for name in RANGES if way.own and taken else ():
            ranges = Fitting(name, compensate=True)
            name = f"{name} ranges, compensated weights"
            take_if_better(name, ranges, self._with_ranges(ranges, best))
        return TrialWay(best, way, tuple(methods), tuple(tried))

    def repeated(self, earlier: EarlierWay) -> TrialWay | None:
        """Take the way that was best for another format, or one that was hardly worse there.

        None where it is not as good here, and nothing is known of the others.
        """
        # As in `best`, weights that were rounded for ranges of single values are tried with others.
        ways = sorted([earlier, *earlier.rivals()], key=lambda one: one.ranges is not None)
        start = way = self.as_before(ways[0].ranges, ways[0].compensate)
        tried = [start.for_others()]
        if earlier.others is None and not earlier.is_as_good(start.result.snr):
            return None
        for one in ways[1:]:
            other = self._rival(one, start)
            tried.append(other.for_others())
            way = max(way, other, key=lambda one: one.result.snr)
        name = "the way that was best for another format"
        methods = (Method(name, earlier.snr, way.result.snr, True),)
        others = tuple(tried) if len(tried) > 1 else earlier.others
        return way._replace(methods=methods, tried=others)

    def _rival(self, earlier: EarlierWay, way: TrialWay) -> TrialWay:
        fitting = self._fitting(earlier.ranges, earlier.compensate)
        if earlier.compensate != way.fitting.compensate:
            return TrialWay(self.attempt(fitting), fitting, ())
        return TrialWay(self._with_ranges(fitting, way.result), fitting, ())

    def as_before(self, ranges: str | None, compensate: bool) -> TrialWay:
        """Choose ranges and weights in a way that was best before, elsewhere or with other types."""
        fitting = self._fitting(ranges, compensate)
        return TrialWay(self.attempt(fitting), fitting, ())

    def _fitting(self, ranges: str | None, compensate: bool) -> Fitting:
        own = self._own_ranges() if ranges is None else MappingProxyType[str, RangeChoice]({})
        return Fitting(ranges or RANGES[0], compensate, own)

    def with_room(
        self, result: TrialResult, fitting: Fitting
    ) -> tuple[TrialResult, tuple[Method, ...]]:
        """Widen all ranges beyond what was seen, as far as that costs little on the judging runs or leaves plenty.

        The model will see more pictures than these: one that clips loses more than all do by wider steps.
        """
        methods: list[Method] = []
        for room in _ROOMS:
            other = self._with_ranges(fitting._replace(room=room), result)
            taken = other.snr >= min(result.snr - _ROOM_COST, _PLENTY)
            methods.append(Method(f"ranges {room} times as wide", result.snr, other.snr, taken))
            if taken:
                return other, tuple(methods)
        return result, tuple(methods)

    def _range_choices(self) -> Iterator[tuple[str, Fitting]]:
        """Yield what comes after the first, and what the report calls it."""
        if not self.placement.encoded():
            return
        yield _OWN_RANGES, Fitting(own=self._own_ranges())
        for name in RANGES[1:]:
            yield f"{name} ranges", Fitting(name)

    def _own_ranges(self) -> dict[str, RangeChoice]:
        types = frozenset(self.types)
        if types not in self.chosen:
            self.chosen[types] = self._choose_ranges()
        return self.chosen[types]

    def _choose_ranges(self) -> dict[str, RangeChoice]:
        names = [node.name for node in self.placement.encoded()]
        grids = {
            choice: self._encodings(Fitting(own=dict.fromkeys(names, choice))) for choice in CHOICES
        }
        joined = joined_values(self.placement, self.scheme, self.program)
        runs = self.judges.inputs[:_OWN]
        copied = self.placement.copied
        # Where a copy has other readers, gradients differ.
        known_costs = self.costs if not self.types else dict[Node, GridCosts]()
        return choose_ranges(self.program, grids, joined, runs, copied, known_costs)

    def _encodings(self, fitting: Fitting) -> dict[Node, Grid]:
        observers = {
            node: self._observer(node, several, fitting)
            for node, several in self.recorded.observers.items()
        }
        return encodings_of(
            self.placement,
            observers,
            self.scheme,
            self.program,
            self.types,
            self.pixels,
            self.trained,
        )

    def _observer(self, node: Node, several: Observer, fitting: Fitting) -> RangeSource:
        if self._is_wide(node):
            return of_way(several, RANGES[0])
        own = fitting.own.get(node.name, RangeChoice(fitting.ranges))
        return Wider(of_way(several, own.ranges), own.room * fitting.room)

    def _is_wide(self, node: Node) -> bool:
        """Check for a value of 16 bits, which need no clipping."""
        return self.types.get(node.name, self.scheme.activations) in WIDE

    def _weighted(self) -> Iterator[Node]:
        return (node for node in self.placement.calls if is_weighted(node))

    def _weight(
        self, node: Node, encodings: Mapping[Node, Grid], compensate: bool
    ) -> RoundedWeight:
        if (trained := self.trained.weight_of(node, self.scheme)) is not None:
            return trained
        weight, bias = (
            None if name is None else self.program.constants[str(name.target)]
            for name in (argument(node, "weight"), argument(node, "bias"))
        )
        assert weight is not None
        (read,) = operands(node, self.program)
        grid = encodings.get(self.placement.carried.get(read, read))
        moments: Moments | None = self.recorded.moments.get(node) if compensate else None
        step = grid.scale if grid else 0.0
        question = node, step if moments else None
        if question not in self.rounded:
            form = self.scheme.form_of(node)
            self.rounded[question] = (
                rounded_weight(node, weight, bias, form, None, step)
                if moments is None
                else self.compensated.rounded(node, weight, bias, form, moments, step)
            )
        return self.rounded[question]
