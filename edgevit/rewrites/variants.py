"""Choices between lists of rules: equal forms that a graph can be written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgevit.rewrites.rule import AnyRule
from edgevit.support.choice import ON_OFF, Choice, Settings

Rules = tuple[AnyRule, ...]
Turn = Callable[[Rules], Rules]  # an option's change of a backend's list


@dataclass(frozen=True)
class Form:
    """A choice of form. `turns` has no entry for the default, which is the list as it is."""

    choice: Choice
    turns: Mapping[str, Turn]

    @property
    def rules(self) -> frozenset[str]:
        """Rules without which the choice has no effect on a net; empty where any net may change."""
        return frozenset({self.choice.name} if self.choice.options == ON_OFF else ())


def optional(name: str, why: str) -> Form:
    """Make a choice to leave out a rule that is right but may not pay."""
    return Form(Choice(name, ON_OFF, "on", why), {"off": lambda rules: without(rules, name)})


def form(name: str, default: str, why: str, **turns: Turn) -> Form:
    return Form(Choice(name, (default, *turns), default, why), turns)


def formed(rules: Rules, forms: Sequence[Form], settings: Settings) -> Rules:
    for each in forms:
        turn = each.turns.get(settings.get(each.choice.name, each.choice.default))
        rules = turn(rules) if turn else rules
    return rules


def without(rules: Rules, *names: str) -> Rules:
    return tuple(rule for rule in rules if rule.name not in names)


def replaced(rules: Rules, new: AnyRule) -> Rules:
    """Replace the rule that has the name of `new` by `new`."""
    return tuple(new if rule.name == new.name else rule for rule in rules)


def behind(rules: Rules, name: str, *new: AnyRule) -> Rules:
    """Insert `new` right behind the last rule of that name."""
    last = max(k for k, rule in enumerate(rules) if rule.name == name) + 1
    return (*rules[:last], *new, *rules[last:])
