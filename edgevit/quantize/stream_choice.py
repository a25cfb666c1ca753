"""Choice of floats or integers for the residual stream, where a runtime has both.

Norms read it in floats anyhow. Where all its readers compute in integers, floats are a conversion
before each of them and one after: they must leave less noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch.fx.node import Node

from edgevit.graph.program import Inputs, Program
from edgevit.quantize.choice import EarlierChoices, Question
from edgevit.quantize.known_values import KnownValues
from edgevit.quantize.op_traits import is_move
from edgevit.quantize.placement import place
from edgevit.quantize.residual_stream import stream_sums
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.trained import without_pairs
from edgevit.quantize.trial import Fitting, Trial

_GAIN = 2.0  # dB that floats must bring


def with_stream(
    program: Program,
    scheme: QuantScheme,
    fitted: Sequence[Inputs],
    judges: Sequence[Inputs],
    earlier: EarlierChoices | None = None,
) -> QuantScheme:
    """Return the scheme with the residual stream in integers, unless floats are worth it.

    A model that was trained with roundings keeps them all. `earlier` choices are taken where they fit, and added to.
    """
    integers = replace(scheme, float_stream=False)
    plain, trained = without_pairs(program)
    if trained.values:
        return replace(integers, unrounded=frozenset[str]())
    stream = stream_sums(plain) if scheme.float_stream else frozenset[Node]()
    if not stream:
        return integers
    if _read_in_floats(plain, stream, integers):
        return scheme

    known_values = earlier.known_values if earlier else None

    def judge() -> bool:
        floats, rounded = (
            _ratio(program, one, fitted, judges, known_values) for one in (scheme, integers)
        )
        return floats >= rounded + _GAIN

    if earlier is None:
        return scheme if judge() else integers
    asked = [Question.of(program, one, place(plain, one), False) for one in (scheme, integers)]
    return scheme if earlier.keeps_stream_in_floats(asked, judge) else integers


def _read_in_floats(program: Program, stream: frozenset[Node], integers: QuantScheme) -> bool:
    readers = {user for node in stream for user in node.users if user.op == "call_function"}
    return any(not is_move(node) for node in readers - {*place(program, integers).calls})


def _ratio(
    program: Program,
    scheme: QuantScheme,
    fitted: Sequence[Inputs],
    judges: Sequence[Inputs],
    known_values: KnownValues | None,
) -> float:
    """Return the ratio on the judging runs with the ranges that were seen."""
    trial = Trial.begin(program, scheme, fitted, judges, {}, False, True, known_values)
    return trial.attempt(Fitting()).snr
