"""Integer graph of a request, in 8 bits or partly in 16, judged on pictures that chose nothing.

Where 8 bits fail: first the residual stream in 16, then ranges that go further, then single values, by the noise that
they take away for what they cost.
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
    CalibrationOptions,
    HeldOut,
    ImageInput,
    load_calibration,
    more_generated,
    ranked,
    residual_stream,
    snr,
    split_judges,
)

_USUAL, _WIDEST = CalibrationOptions().observer, "min-max"  # of ranges
_ROOM = 0.8  # of the noise that the limits allow: other pictures may have more
_RUNS = 4  # that tell the noise of single values


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
        request.progress("quantize with the ranges of more pictures, as far as they go")
        more = more_generated(program, fitted, ranges, image_input)
        more = replace(more, inputs=in_sequence(program, more.inputs))
        residual = best.quantized.options.residual
        whole = observe(program, more, replace(options, observer=_WIDEST), [residual])
        best = _nearer(best, _judged(whole, residual, runs))
    if not passes(best.quantized, best.held_out):
        request.progress("quantize single values in 16 bits")
        best = _with_wide_values(best, runs)
    return best if best is narrow else replace(best, note=_told(narrow, best))


def _with_wide_values(narrow: JudgedIntegers, runs: Sequence[HeldOut]) -> JudgedIntegers:
    """Give 16 bits to the fewest values, those of most noise for their cost first, that pass with room to spare."""
    residual = narrow.quantized.options.residual
    observation = narrow.observation.with_deep(residual)
    plan = observation.plan(residual)
    grids = observation.grids(plan)
    stored = {node: grids.of(node) for node in plan.observed()}
    order = ranked(observation.program, plan, stored, observation.calibration.inputs[:_RUNS])
    low, high, best = 0, len(order), narrow
    while low < high:
        count = high if best is narrow else (low + high) // 2
        deep = frozenset(node for one in order[:count] for node in one.nodes)
        tried = _judged(observation, residual, runs, deep)
        if passes(tried.quantized, tried.held_out, _ROOM):
            best, high = tried, count
        elif best is narrow:
            return _nearer(narrow, tried)
        else:
            low = count + 1
    return best


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
    changes += ["ranges go as far as calibration did"] if options.observer == _WIDEST else []
    return (
        f"{', '.join(changes)}: {best.snr:.1f} dB on held-out pictures, {narrow.snr:.1f} dB without, "
        "which the limits refuse"
    )
