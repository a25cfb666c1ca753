"""What a lossy option is: a step over the whole program, taken only when asked for by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgevit.graph.program import Program
from edgevit.rewrites.arithmetic.drop_identity import DropIdentity
from edgevit.rewrites.arithmetic.fold_constants import FoldConstants
from edgevit.rewrites.engine import apply
from edgevit.rewrites.layout.name_shapes import NameShapes
from edgevit.rewrites.report import Refusal
from edgevit.rewrites.rule import AnyRule

# The program after it, the places it fired at, and those it declined.
Taken = tuple[Program, tuple[str, ...], tuple[Refusal, ...]]
Step = Callable[[Program], Taken]

# Exact rules that leave fewer spellings to know: no dropouts, no copies, no tables worked out anew.
TIDY: tuple[AnyRule, ...] = (NameShapes(), DropIdentity(), FoldConstants())

NO_ATTENTION = Refusal("the model", "no scaled_dot_product_attention is in its graph")


class BadValue(Exception):
    """The value of an option that it does not take; the message says what it does take."""


@dataclass(frozen=True)
class Option:
    line: str  # what it does, for the list of options
    step: Callable[[str], Step]  # from its value; raises `BadValue`
    value: str = ""  # how its value is written, for the list; "" where it takes none
    prepare: tuple[AnyRule, ...] = TIDY


def by_rule(rule: AnyRule) -> Callable[[str], Step]:
    """The option without a value that fires one rule wherever it can."""

    def step(value: str) -> Step:
        if value:
            raise BadValue("it takes no value")
        return lambda program: apply(rule, program)

    return step
