"""Integer graph of a request, in 8 bits or partly in 16, judged on pictures that chose nothing.

Where 8 bits fail: first the residual stream in 16, then a range for each value, then ranges that go further, then
single values in 16 bits, by the noise that they take away for what they cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch.fx.node import Node

from edgevit.backends.api import Lowering
from edgevit.backends.mcu.gate import passes
from edgevit.backends.mcu.options import AUTO, OPTIONS
from edgevit.backends.mcu.states import in_sequence, with_states
from edgevit.graph.program import Program
from edgevit.integer import Observation, Quantized, QuantOptions, observe
from edgevit.quantize import (
    Calibration,
    CalibrationOptions,
    HeldOut,
    ImageInput,
    WideValue,
    load_calibration,
    more_generated,
    ranked,
    residual_stream,
    snr,
    split_judges,
)

_USUAL, _WIDEST = CalibrationOptions().observer, "min-max"  # of ranges
_ROOM = 0.8  # of the noise that the limits allow: other pictures may have more
_TAKEN_BACK = 6  # values of 16 bits, the costliest, that are tried in 8 again
_RUNS = 4  # that tell the noise of single values
_JUDGING = 16  # runs that ranges of single values are judged on: what clips is in few of them


@dataclass(frozen=True)
class JudgedIntegers:
    """A quantised model, and what it computes on the held-out pictures."""

    observation: Observation
    quantized: Quantized
    held_out: tuple[HeldOut, ...]
    note: str = ""  # what was changed, and why

    @property
    def snr(self) -> float:
        return snr([run.outputs for run in self.held_out], [run.simulated for run in self.held_out])


def judged_integers(request: Lowering) -> JudgedIntegers:
    """Quantise a request's program. With `auto`, 16 bits and wider ranges where the gate fails and they are nearer."""
    how, ranges = OPTIONS.of(request.options), request.calibration
    source = request.source
    program = with_states(request.program, how.state_pairs, source.kept)
    image_input = ImageInput(
        source.preprocess, request.image_input, request.channels_last, source.kept_count
    )
    inputs = request.inputs or load_calibration(program, ranges, image_input)
    fitted, judges = split_judges(program, inputs, ranges, image_input)
    fitted = replace(fitted, inputs=in_sequence(program, fitted.inputs))
    runs = tuple(HeldOut(x, program.run(x), ()) for x in in_sequence(program, judges))
    options = QuantOptions(ranges.observer, softmax=how.scheme, gelu=how.scheme)
    first, *others = _residuals(how.residual, program)
    observation = observe(program, fitted, options, [first, *others])
    narrow = best = _judged(observation, first, runs)
    if how.residual != AUTO or passes(narrow.quantized, narrow.held_out):
        return narrow
    for residual in others:
        request.progress("quantize with a residual stream of 16 bits")
        best = _nearer(best, _judged(observation, residual, runs))
    if ranges.observer == _USUAL and not passes(best.quantized, best.held_out):
        more = more_generated(program, fitted, ranges, image_input)
        more = replace(more, inputs=in_sequence(program, more.inputs))
        best = _with_other_ranges(best, program, more, runs, request)
    if not passes(best.quantized, best.held_out):
        request.progress("quantize single values in 16 bits")
        best = _with_wide_values(best, runs)
    return best if best is narrow else replace(best, note=_told(narrow, best))


def _with_other_ranges(
    usual: JudgedIntegers,
    program: Program,
    more: Calibration,
    runs: Sequence[HeldOut],
    request: Lowering,
) -> JudgedIntegers:
    """Choose a range for each value; where that fails, go as far as more pictures do."""
    observation, options = usual.observation, usual.quantized.options
    request.progress("quantize with a range for each value")
    unseen = more.inputs[len(observation.calibration.inputs) :] or more.inputs
    own = observation.with_own_ranges(options.residual, unseen[:_JUDGING])
    best = _nearer(usual, _judged(own, options.residual, runs))
    if passes(best.quantized, best.held_out):
        return best
    request.progress("quantize with the ranges of more pictures, as far as they go")
    widest = replace(observation.options, observer=_WIDEST)
    whole = observe(program, more, widest, [options.residual])
    return _nearer(best, _judged(whole, options.residual, runs))


def _with_wide_values(narrow: JudgedIntegers, runs: Sequence[HeldOut]) -> JudgedIntegers:
    """Give 16 bits to the fewest values, those of most noise for their cost first, that pass with room to spare.

    Of those, the costliest have 8 bits again where that passes too.
    """
    residual = narrow.quantized.options.residual
    observation = narrow.observation.with_deep(residual)
    plan = observation.plan(residual)
    grids = observation.grids(plan)
    stored = {node: grids.of(node) for node in plan.observed()}
    order = ranked(observation.program, plan, stored, observation.calibration.inputs[:_RUNS])
    low, high, best = 0, len(order), narrow
    while low < high:
        count = high if best is narrow else (low + high) // 2
        tried = _judged(observation, residual, runs, _nodes(order[:count]))
        if passes(tried.quantized, tried.held_out, _ROOM):
            best, high = tried, count
        elif best is narrow:
            return _nearer(narrow, tried)
        else:
            low = count + 1
    chosen = order[:high]
    for one in sorted(chosen, key=lambda one: -one.cost(frozenset()))[:_TAKEN_BACK]:
        fewer = [other for other in chosen if other is not one]
        tried = _judged(observation, residual, runs, _nodes(fewer))
        if passes(tried.quantized, tried.held_out, _ROOM):
            best, chosen = tried, fewer
    return best


def _nodes(values: Sequence[WideValue]) -> frozenset[Node]:
    return frozenset(node for one in values for node in one.nodes)


def _nearer(one: JudgedIntegers, other: JudgedIntegers) -> JudgedIntegers:
    return other if other.snr > one.snr else one


def _residuals(asked: str, program: Program) -> Sequence[str]:
    if asked != AUTO:
        return (asked,)
    return ("int8", "int16") if residual_stream(program) else ("int8",)


def _judged(
    observation: Observation,
    residual: str,
    runs: Sequence[HeldOut],
    deep: frozenset[Node] = frozenset(),
) -> JudgedIntegers:
    quantized = observation.quantized(residual, deep)
    simulated = quantized.run_all([run.inputs for run in runs])
    judged = tuple(replace(run, simulated=y) for run, y in zip(runs, simulated, strict=True))
    return JudgedIntegers(observation, quantized, judged)


def _told(narrow: JudgedIntegers, best: JudgedIntegers) -> str:
    options = best.quantized.options
    changes = ["the residual stream has 16 bits"] if options.residual == "int16" else []
    changes += [f"{len(options.wide)} more values have 16 bits"] if options.wide else []
    changes += ["each value has a range of its own"] if best.observation.own is not None else []
    changes += ["ranges go as far as calibration did"] if options.observer == _WIDEST else []
    return (
        f"{', '.join(changes)}: {best.snr:.1f} dB on held-out pictures, {narrow.snr:.1f} dB without, "
        "which the limits refuse"
    )
