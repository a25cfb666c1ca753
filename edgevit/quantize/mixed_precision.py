"""Mixed precision: more bits for the values whose rounding costs the outputs most, per multiply-accumulate.

Where the runtime has 16-bit values, a value gets 16 bits, and the products that read it compute
with them. Where it has none, a call goes back to floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from torch.fx.node import Node

from edgevit.errors import BudgetError
from edgevit.graph.aten import argument
from edgevit.graph.cost import macs
from edgevit.graph.program import Program, value
from edgevit.quantize.goals import MixedBudget, MixedGoal
from edgevit.quantize.placement import IntegerPlacement, is_weighted, operands
from edgevit.quantize.ranges import joined_values
from edgevit.quantize.scheme import FLOAT
from edgevit.quantize.sensitivity import Sensitivity, sensitivity
from edgevit.quantize.trial import EarlierFloats, Fitting, Method, Trial, TrialResult, TrialWay
from edgevit.quantize.weights import RoundedWeight

_RUNS = 8  # that sensitivity is measured on
_PRUNED = 64  # units that are tried without
_FEW_MACS, _FEW_BYTES = 0.05, 0.03  # of all multiply-accumulates, and beside the weights' bytes
_LEAST_SAVED = 0.002  # of the multiply-accumulates: less is not worth a run


@dataclass(frozen=True)
class WideUnit:
    """Values or calls that get more bits together: all that share one encoding."""

    names: tuple[str, ...]
    noise: float
    products: frozenset[str]  # compute with more bits then
    numbers: int  # in the values: a cost where there are no products


@dataclass(frozen=True)
class MixedTypes:
    """Assignment that a search has ended with."""

    types: Mapping[str, str]
    result: TrialResult
    methods: tuple[Method, ...]
    share: float  # of the multiply-accumulates that compute with more bits
    reached: bool
    milliseconds: float | None  # of the file, where the budget is a time
    tries: tuple[tuple[float, float], ...]  # share of the multiply-accumulates, SNR

    def as_dict(self) -> dict[str, object]:
        facts: dict[str, object] = {
            "types": dict(self.types),
            "macs": round(self.share, 4),
            "reached": self.reached,
            "tries": [[round(share, 4), round(ratio, 2)] for share, ratio in self.tries],
        }
        if self.milliseconds is None:
            return facts
        return {**facts, "milliseconds": round(self.milliseconds, 4)}


@dataclass(frozen=True)
class _Costs:
    """What more bits cost, by the name of a call."""

    macs: Mapping[str, int]
    saved: Mapping[str, int]  # bytes of weights that floats would add
    base: int  # bytes of the weights now

    def share(self, units: Iterable[WideUnit]) -> float:
        products = frozenset[str]().union(*(unit.products for unit in units))
        return sum(self.macs[name] for name in products) / max(sum(self.macs.values()), 1)

    def weight_bytes(self, units: Iterable[WideUnit]) -> int:
        return self.base + sum(self.saved.get(name, 0) for unit in units for name in unit.names)


@dataclass
class _TypeSearch:
    """Assignments that were tried, each once."""

    trial: Trial
    goal: MixedGoal
    costs: _Costs
    wide: str
    fitting: Fitting
    weights: Mapping[Node, RoundedWeight]
    tries: dict[frozenset[str], TrialResult] = field(
        default_factory=dict[frozenset[str], TrialResult]
    )
    times: dict[frozenset[str], float | None] = field(
        default_factory=dict[frozenset[str], float | None]
    )
    shown: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def result(self, units: Sequence[WideUnit]) -> TrialResult:
        types = _types(units, self.wide)
        if frozenset(types) not in self.tries:
            tried = self.trial.with_types(types).attempt(self.fitting, weights=self.weights)
            self.tries[frozenset(types)] = tried
            self.shown.append((self.costs.share(units), tried.snr))
        return self.tries[frozenset(types)]

    def meets(self, units: Sequence[WideUnit]) -> bool:
        return self.goal.is_met(self.trial, self.result(units))

    def is_fast(self, units: Sequence[WideUnit]) -> bool:
        """Check the time of the file. Raises `BudgetError` where nothing is left to take back."""
        milliseconds, most = self.milliseconds(units), self.goal.budget.milliseconds
        if not units:
            self.goal.require_fast(milliseconds, "the fewest bits that the precision has")
        return milliseconds is None or most is None or milliseconds <= most

    def milliseconds(self, units: Sequence[WideUnit]) -> float | None:
        """Time the file of an assignment, once; None where the budget is no time."""
        if not self.goal.budget.is_latency:
            return None
        types = frozenset(_types(units, self.wide))
        if types not in self.times:
            self.times[types] = self.goal.milliseconds(self.result(units))
        return self.times[types]


def find_types(trial: Trial, base: TrialResult, fitting: Fitting, goal: MixedGoal) -> MixedTypes:
    """Widen the fewest values, the worst first, that meet the goal on the judging runs."""
    wide = trial.scheme.wide or FLOAT
    costs = _costs(trial, _sizes_of(base), wide)
    _require_room(goal, costs)
    order = _order(trial, base, wide, costs, goal)
    fitting, weights = _weights(trial.with_types(_types(order, wide)), base, fitting)
    search = _TypeSearch(trial, goal, costs, wide, fitting, weights)
    return _settled(_spent(order, search) if goal.spends else _aimed(order, search), order, search)


@dataclass(frozen=True)
class WorstCalls:
    """The calls that make most of the noise, and what is left of it where they compute in floats."""

    types: Mapping[str, str]
    snr: float
    way: TrialWay | None = None  # None: not worth it


def worst_calls(trial: Trial, base: TrialResult, fitting: Fitting, worth: float) -> WorstCalls:
    """Take a few calls out of the integers, and choose ranges and weights anew, if that brings `worth` dB.

    They are chosen in the way that was best before. With those that are there, it must bring a third of that: choosing
    anew costs more than all else.
    """
    costs = _costs(trial, _sizes_of(base), FLOAT)
    types = _types(_order(trial, base, FLOAT, costs, _few(costs)), FLOAT)
    without = trial.with_types(types)
    first = without.attempt(fitting, weights=base.weights)
    if first.snr < base.snr + worth / 3:
        return WorstCalls(types, first.snr)
    way = without.as_before(fitting.of_all, fitting.compensate)
    taken = way.result.snr >= base.snr + worth
    return WorstCalls(types, way.result.snr, way if taken else None)


def earlier_worst_calls(trial: Trial, earlier: EarlierFloats) -> WorstCalls | None:
    """Take the calls out of the integers that another format has in floats.

    None where one of them is no call in integers here, where they are more than a few, or where the rest has more
    noise than there.
    """
    calls = {call.name: call for call in trial.placement.calls if call.name in earlier.calls}
    if len(calls) < len(earlier.calls):
        return None
    costs = _costs(trial, _sizes(trial), FLOAT)
    units = [_float_unit(call, 0.0) for call in calls.values()]
    if not _few(costs).budget.allows(costs.share(units), costs.weight_bytes(units)):
        return None
    types = _types(units, FLOAT)
    way = trial.with_types(types).repeated(earlier.way)
    return WorstCalls(types, way.result.snr, way) if way else None


def _order(
    trial: Trial, base: TrialResult, wide: str, costs: _Costs, goal: MixedGoal
) -> list[WideUnit]:
    """Return what the budget allows, the worst first."""
    runs, copied = trial.judges.inputs[:_RUNS], trial.placement.copied
    sensitive = sensitivity(trial.program, base.encodings, base.weights, runs, copied)
    units = float_units(trial, sensitive) if wide == FLOAT else wide_units(trial, sensitive)
    return _within(_ranked(units, costs), costs, goal)


def _spent(order: Sequence[WideUnit], search: _TypeSearch) -> Sequence[WideUnit]:
    """Return as many units, the worst first, as the budget allows."""
    if search.is_fast(order):
        return order
    slow = _least(lambda n: not search.is_fast(order[:n]), len(order))
    assert slow  # all are slow, and none would have been refused
    return order[: slow - 1]


def _aimed(order: Sequence[WideUnit], search: _TypeSearch) -> Sequence[WideUnit]:
    """Return the fewest units that meet the goal; all where they do not."""
    count = _least(lambda n: search.meets(order[:n]), len(order))
    return order if count is None else _pruned(order[:count], search)


def _settled(
    chosen: Sequence[WideUnit], order: Sequence[WideUnit], search: _TypeSearch
) -> MixedTypes:
    """Choose ranges and weights anew, as a bit map's replay will; add units until that meets the goal."""
    rest: list[WideUnit] = [unit for unit in order if unit not in chosen]
    while True:
        types = _types(chosen, search.wide)
        result, _, methods, _ = search.trial.with_types(types).best()
        met = search.goal.spends or search.goal.is_met(search.trial, result)
        if met or not rest:
            break
        chosen = [*chosen, *(_free(rest, chosen) or rest[:1])]
        rest = [unit for unit in rest if unit not in chosen]
    search.goal.require(met, result)
    milliseconds = search.milliseconds(chosen)
    if not search.goal.spends:
        search.goal.require_fast(
            milliseconds, "the fewest values of more bits that reach the accuracy"
        )
    share, shown = search.costs.share(chosen), tuple(sorted(search.shown))
    return MixedTypes(types, result, methods, share, met, milliseconds, shown)


def _free(rest: Sequence[WideUnit], chosen: Sequence[WideUnit]) -> list[WideUnit]:
    """Return the units that need no product to compute with more bits than now."""
    there = frozenset[str]().union(*(unit.products for unit in chosen))
    return [unit for unit in rest if unit.products <= there]


def _pruned(chosen: Sequence[WideUnit], search: _TypeSearch) -> Sequence[WideUnit]:
    """Drop the units, least worth first, without which the goal is met with fewer products."""
    for unit in list(reversed(chosen))[:_PRUNED]:
        rest = [other for other in chosen if other is not unit]
        saved = search.costs.share(chosen) - search.costs.share(rest)
        if saved >= _LEAST_SAVED and search.meets(rest):
            chosen = rest
    return chosen


def _few(costs: _Costs) -> MixedGoal:
    """Return what calls in floats may cost where nobody has asked for them."""
    stored = int((1 + _FEW_BYTES) * costs.base)
    return MixedGoal(budget=MixedBudget(macs=_FEW_MACS, weight_bytes=stored))


_Sizes = Mapping[str, tuple[int, int]]  # count and bits of weights, by their calls


def _sizes_of(result: TrialResult) -> _Sizes:
    return {node.name: (weight.count, weight.bits) for node, weight in result.weights.items()}


def _sizes(trial: Trial) -> _Sizes:
    """Return the sizes that rounding will give."""
    return {
        node.name: (value(argument(node, "weight")).numel(), trial.scheme.form_of(node).bits)
        for node in trial.placement.calls
        if is_weighted(node)
    }


def _costs(trial: Trial, sizes: _Sizes, wide: str) -> _Costs:
    stored = {name: count * bits // 8 for name, (count, bits) in sizes.items()}
    floats = {name: count * 4 - stored[name] for name, (count, _) in sizes.items()}
    return _Costs(
        {node.name: macs(node) for node in trial.program.calls()},
        floats if wide == FLOAT else {},
        sum(stored.values()),
    )


def _require_room(goal: MixedGoal, costs: _Costs) -> None:
    most = goal.budget.weight_bytes
    if most is None or costs.base <= most:
        return
    raise BudgetError(
        f"the weights do not fit in {most:,} bytes",
        where="--mixed-budget",
        why=f"they take {costs.base:,} bytes with the fewest bits that the precision has",
        hint="a larger budget, or a precision with weights of 4 bits",
    )


def _weights(
    widest: Trial, base: TrialResult, fitting: Fitting
) -> tuple[Fitting, Mapping[Node, RoundedWeight]]:
    """Return the weights that leave the least noise where activations leave little."""
    if fitting.compensate or not widest.compensates:
        return fitting, base.weights
    plain = widest.attempt(fitting, weights=base.weights)
    other = fitting._replace(compensate=True)
    compensated = widest.attempt(other)
    if compensated.snr <= plain.snr:
        return fitting, base.weights
    return other, {**base.weights, **compensated.weights}


def _least(reaches: Callable[[int], bool], most: int) -> int | None:
    """Return the least count that reaches the goal, by bisection; None where `most` does not."""
    if not reaches(most):
        return None
    low, high = -1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def _types(units: Iterable[WideUnit], wide: str) -> dict[str, str]:
    return {name: wide for unit in units for name in unit.names}


def _ranked(units: Sequence[WideUnit], costs: _Costs) -> list[WideUnit]:
    """Order by noise for each multiply-accumulate that the units before have not paid for."""
    order, there, rest = list[WideUnit](), set[str](), [unit for unit in units if unit.noise > 0]

    def worth(unit: WideUnit) -> float:
        new = sum(costs.macs[name] for name in unit.products - there)
        return unit.noise / (new + unit.numbers)

    while rest:
        best = max(rest, key=worth)
        rest.remove(best)
        order.append(best)
        there |= best.products
    return order


def _within(order: Sequence[WideUnit], costs: _Costs, goal: MixedGoal) -> list[WideUnit]:
    """Leave out what would exceed the budget."""
    chosen: list[WideUnit] = []
    for unit in order:
        more = [*chosen, unit]
        if goal.budget.allows(costs.share(more), costs.weight_bytes(more)):
            chosen = more
    return chosen


def wide_units(trial: Trial, sensitive: Sensitivity) -> list[WideUnit]:
    """Return a unit for each encoding, with the products that read it."""
    placement, program = trial.placement, trial.program
    products: dict[Node, set[str]] = {node: set() for node in placement.encoded()}
    for call in placement.calls:
        for read in operands(call, program) if macs(call) else ():
            products[placement.carried.get(read, read)].add(call.name)
    together = joined_values(placement, trial.scheme, program)
    units: dict[tuple[str, ...], WideUnit] = {}
    for node in placement.encoded():
        members = together.get(node, [node])
        names = tuple(member.name for member in members)
        units[names] = WideUnit(
            names,
            sum(sensitive.values[name] for name in names),
            frozenset(name for member in members for name in products[member]),
            sum(value(member).numel() for member in members),
        )
    return list(units.values())


def float_units(trial: Trial, sensitive: Sensitivity) -> list[WideUnit]:
    """Return a unit for each call in integers.

    The noise of a value is shared out among the calls that write and read it in integers: it ends
    when all of them compute in floats.
    """
    placement, program = trial.placement, trial.program
    touching = _touching(placement, program)
    noise = {call.name: sensitive.weights.get(call.name, 0.0) for call in placement.calls}
    for node, calls in touching.items():
        for call in calls:
            noise[call.name] += sensitive.values[node.name] / len(calls)
    return [_float_unit(call, noise[call.name]) for call in placement.calls]


def _float_unit(call: Node, noise: float) -> WideUnit:
    products = frozenset({call.name}) if macs(call) else frozenset[str]()
    return WideUnit((call.name,), noise, products, value(call).numel())


def _touching(placement: IntegerPlacement, program: Program) -> dict[Node, set[Node]]:
    """Map each encoded value to the integer calls that write or read it."""
    touching: dict[Node, set[Node]] = {node: set() for node in placement.encoded()}
    for call in placement.calls:
        for read in operands(call, program):
            if (source := placement.carried.get(read, read)) in touching:
                touching[source].add(call)
    for node in placement.stored:
        writer = node
        while writer not in placement.calls:
            writer = writer.all_input_nodes[0]
        touching[node].add(writer)
    return touching
