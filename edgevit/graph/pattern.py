"""Pattern of one call: its operator, and conditions on some of its arguments.

    call("gelu", approximate="tanh")
    call("avg_pool2d", ceil_mode=True, divisor_override=None) | call("max_pool2d", ceil_mode=True)

A name without an overload stands for all of them. An argument has a value, or a condition such as
`one_of(1, 2)`. `where` is a condition on the whole call, tested last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, op
from edgevit.graph.program import shape


@dataclass(frozen=True)
class Condition:
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class _Call:
    names: frozenset[str]
    arguments: tuple[tuple[str, object], ...]
    where: Callable[[Node], bool] | None

    def matches(self, node: Node) -> bool:
        if kind(node) not in self.names and op(node) not in self.names:
            return False
        if not all(_meets(node, name, condition) for name, condition in self.arguments):
            return False
        return self.where is None or self.where(node)


@dataclass(frozen=True)
class Pattern:
    """Calls, any one of which matches."""

    calls: tuple[_Call, ...]

    def matches(self, node: Node) -> bool:
        return node.op == "call_function" and any(one.matches(node) for one in self.calls)

    def __or__(self, other: Pattern) -> Pattern:
        return Pattern((*self.calls, *other.calls))


def call(*names: str, where: Callable[[Node], bool] | None = None, **arguments: object) -> Pattern:
    """Return the pattern of a call of one of these operators; see the module's text."""
    return Pattern((_Call(frozenset(names), tuple(arguments.items()), where),))


def one_of(*values: object) -> Condition:
    return Condition(lambda value: value in values)


def other_than(value: object) -> Condition:
    return Condition(lambda argument: argument != value)


PRESENT = other_than(None)


def has_rank(rank: int) -> Callable[[Node], bool]:
    """Return the condition that the result of a call has so many axes."""
    return lambda node: len(shape(node)) == rank


def _meets(node: Node, name: str, condition: object) -> bool:
    if not has_argument(node, name):
        return False
    value = argument(node, name)
    return condition.holds(value) if isinstance(condition, Condition) else value == condition
