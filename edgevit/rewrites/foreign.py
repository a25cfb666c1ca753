"""Rules of installed distributions: the lists they join, and the checks that our own pass in
tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgevit.errors import PluginError
from edgevit.plugins import Registry
from edgevit.rewrites.rule import AnyRule


@dataclass(frozen=True)
class RuleSet:
    """Rules that run behind a format's own, or behind every format's without `formats`."""

    rules: tuple[AnyRule, ...]
    formats: tuple[str, ...] | None = None


RULE_SETS: Registry[RuleSet] = Registry("edgevit.rules", dict)


def foreign_rules(format: str) -> tuple[AnyRule, ...]:
    sets = (RULE_SETS[name] for name in RULE_SETS)
    return tuple(
        rule for one in sets if one.formats is None or format in one.formats for rule in one.rules
    )


def is_foreign(rule: AnyRule) -> bool:
    return not type(rule).__module__.startswith("edgevit.")


def require_order(rules: Sequence[AnyRule]) -> None:
    """Refuse a foreign rule whose name is taken, or which comes before one that it says it follows."""
    names = [rule.name for rule in rules]
    for place, rule in enumerate(rules):
        if not is_foreign(rule):
            continue
        if names.count(rule.name) > 1:
            raise _refused(rule, f"the list has a rule `{rule.name}` already")
        late = [name for name in rule.after if name in names[place + 1 :]]
        if late:
            raise _refused(rule, f"it must run after `{late[0]}`, which comes later in the list")


def not_idempotent(rule: AnyRule) -> PluginError:
    return _refused(rule, "run again over its own result, it fires again")


def _refused(rule: AnyRule, why: str) -> PluginError:
    return PluginError(
        f"the rule `{rule.name}` cannot be used",
        where=f"{type(rule).__module__}.{type(rule).__qualname__}",
        why=why,
        hint=f"--without {rule.name}, or mend the distribution that has it",
    )
