"""Lossy option: a step over the whole program, taken only on request by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgevit.graph.program import Inputs, Program
from edgevit.rewrites.arithmetic.drop_identity import DropIdentity
from edgevit.rewrites.arithmetic.fold_constants import FoldConstants
from edgevit.rewrites.engine import apply
from edgevit.rewrites.layout.name_shapes import NameShapes
from edgevit.rewrites.report import Refusal
from edgevit.rewrites.rule import AnyRule

# The program after it, the places it fired at, and those it declined.
Taken = tuple[Program, tuple[str, ...], tuple[Refusal, ...]]
# Calibration inputs, read only by the steps that need them.
Samples = Callable[[], Sequence[Inputs]]
LossyStep = Callable[[Program, Samples], Taken]

# Exact rules that leave fewer forms to match: no dropouts, no copies, no recomputed tables.
TIDY: tuple[AnyRule, ...] = (NameShapes(), DropIdentity(), FoldConstants())

NO_ATTENTION = Refusal("the model", "no scaled_dot_product_attention is in its graph")


class LossyValueError(Exception):
    """Rejection of an option's value. The message says which values it takes."""


@dataclass(frozen=True)
class LossyKind:
    line: str  # what it does, for the list of options
    step: Callable[[str], LossyStep]  # from its value; raises `LossyValueError`
    value: str = ""  # how its value is written, for the list; "" where it takes none
    prepare: tuple[AnyRule, ...] = TIDY
    calibrated: bool = False  # on pictures, as integers are


def by_rule(rule: AnyRule) -> Callable[[str], LossyStep]:
    """Return the parser of an option without a value; its step fires one rule wherever it can."""

    def step(value: str) -> LossyStep:
        if value:
            raise LossyValueError("it takes no value")
        return lambda program, _: apply(rule, program)

    return step
