"""Rules of a predicted placement, as a backend's `placement.toml` has them, each with its source.

They are not measured by this project.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.backends.placement import Unit

_UNKNOWN = "no source says that the engine has it"
_NATIVE = "the engine has it, and nothing published speaks against"


@dataclass(frozen=True)
class PlacementRule:
    """Rule of a placement; it holds for an operation in `ops` for which every condition does."""

    ops: frozenset[str]  # empty: any
    exempt: frozenset[str]
    conditions: dict[str, Any]
    unit: Unit
    why: str
    source: str


@dataclass(frozen=True)
class PlacementRules:
    native: frozenset[str]
    rules: tuple[PlacementRule, ...]
    catalog: str  # the source of `native`

    def place(self, kind: str, holds: Callable[[str, Any], bool]) -> tuple[Unit, str, str]:
        """Return the unit, the reason and its source; `holds` judges a condition by name and bound."""
        for rule in self.rules:
            if kind in rule.exempt or (rule.ops and kind not in rule.ops):
                continue
            if all(holds(name, bound) for name, bound in rule.conditions.items()):
                return rule.unit, rule.why, rule.source
        if kind in self.native:
            return "neural_engine", _NATIVE, self.catalog
        return "cpu", _UNKNOWN, self.catalog


def read_rules(path: Path, conditions: Collection[str], catalog: str) -> PlacementRules:
    """Read the rules at `path`; `catalog` names its source of the operations that the engine has."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    sources: dict[str, str] = table["source"]
    rules = (
        PlacementRule(
            frozenset(entry.get("ops", ())),
            frozenset(entry.get("except", ())),
            {name: bound for name, bound in entry.items() if name in conditions},
            entry["unit"],
            entry["why"],
            sources[entry["source"]],
        )
        for entry in table["rule"]
    )
    return PlacementRules(frozenset(table["native"]), tuple(rules), sources[catalog])
