"""Rewrite rule: its match, its reason to refuse, its replacement, and its tolerance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from torch.fx.node import Node

from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Pattern
from edgevit.graph.program import origin

# The same values, but perhaps laid out otherwise in memory: a kernel further on may then add in another order.
SAME_VALUES = 1e-6


class Refused(Exception):  # noqa: N818 -- an answer of a rule, as StopIteration is one
    """Refusal of a pattern that must not be rewritten. The reason reaches the user."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def made_by_rule(node: Node, rule: str) -> bool:
    """Check that the rule made the node, for a runtime that needs it so.

    Rules that would undo it then leave it.
    """
    return rule in origin(node).rules


@dataclass(frozen=True)
class Match:
    """A place where a rule may fire. `node` is the value that will be replaced."""

    node: Node


M = TypeVar("M", bound=Match)


class Rule(ABC, Generic[M]):
    """Base class of stateless rules: nothing but the match travels from `check` to `rewrite`."""

    name: ClassVar[str]
    rtol: ClassVar[float] = 0.0  # relative L2 of the outputs; 0 requires the same bits
    after: ClassVar[tuple[str, ...]] = ()
    backward: ClassVar[bool] = False  # look at the last nodes first
    assumes: ClassVar[str] = ""  # what the example inputs may contradict: the rule is then left out

    @abstractmethod
    def match(self, node: Node, draft: Draft) -> M | None:
        """Return the match that ends at `node`, if there is one."""

    def check(self, match: M, draft: Draft) -> None:
        """Raise `Refused` when the match must stay as it is."""

    @abstractmethod
    def rewrite(self, match: M, edit: Edit) -> Node:
        """Build the replacement of `match.node`."""

    def replaces(self, match: M) -> tuple[Node, ...]:
        """Return the nodes whose origin the replacement inherits."""
        return (match.node,)


class CallRule(Rule[Match]):
    """Base class of rules for one call that declare it as a pattern."""

    pattern: ClassVar[Pattern]

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if self.pattern.matches(node) else None


AnyRule = Rule[Any]  # each over its own kind of match
