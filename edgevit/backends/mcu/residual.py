"""Integer graph of a request, its residual stream in 8 bits or in 16, judged on pictures that chose nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgevit.backends.api import Lowering
from edgevit.backends.mcu.gate import passes
from edgevit.backends.mcu.options import AUTO, OPTIONS
from edgevit.graph.program import Program
from edgevit.integer import Observation, Quantized, QuantOptions, observe
from edgevit.quantize import (
    HeldOut,
    ImageInput,
    load_calibration,
    residual_stream,
    snr,
    split_judges,
)


@dataclass(frozen=True)
class JudgedIntegers:
    """A quantised model, and what it computes on the held-out pictures."""

    quantized: Quantized
    held_out: tuple[HeldOut, ...]
    note: str = ""  # why its stream has 16 bits

    @property
    def snr(self) -> float:
        return snr([run.outputs for run in self.held_out], [run.simulated for run in self.held_out])


def judged_integers(request: Lowering) -> JudgedIntegers:
    """Quantise a request's program. With `auto`, 16 bits where 8 fail the gate and 16 are nearer."""
    how, ranges, program = OPTIONS.of(request.options), request.calibration, request.program
    image_input = ImageInput(request.source.preprocess, request.image_input, request.channels_last)
    inputs = request.inputs or load_calibration(program, ranges, image_input)
    fitted, judges = split_judges(program, inputs, ranges, image_input)
    runs = tuple(HeldOut(x, program.run(x), ()) for x in judges)
    options = QuantOptions(ranges.observer, softmax=how.scheme, gelu=how.scheme)
    first, *others = _residuals(how.residual, program)
    observation = observe(program, fitted, options, [first, *others])
    narrow = _judged(observation, first, runs)
    if not others or passes(narrow.quantized, narrow.held_out):
        return narrow
    request.progress("quantize with a residual stream of 16 bits")
    wider = _judged(observation, others[0], runs)
    if wider.snr <= narrow.snr:
        return narrow
    return replace(wider, note=_told(narrow, wider))


def _residuals(asked: str, program: Program) -> Sequence[str]:
    if asked != AUTO:
        return (asked,)
    return ("int8", "int16") if residual_stream(program) else ("int8",)


def _judged(observation: Observation, residual: str, runs: Sequence[HeldOut]) -> JudgedIntegers:
    quantized = observation.quantized(residual)
    judged = tuple(replace(run, simulated=quantized.run(run.inputs)) for run in runs)
    return JudgedIntegers(quantized, judged)


def _told(narrow: JudgedIntegers, wider: JudgedIntegers) -> str:
    return (
        f"the residual stream has 16 bits: {wider.snr:.1f} dB on held-out pictures, {narrow.snr:.1f} dB "
        "with 8, which the limits refuse"
    )
