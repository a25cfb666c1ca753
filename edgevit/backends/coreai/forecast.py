"""Predicted unit of each operation of an asset: the Neural Engine, the GPU or the CPU.

The rules are data, each with its source: `placement.toml`. They are not measured by this project.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.backends.coreai.operations import AssetOperation, operations
from edgevit.backends.coreai.places import calls_behind
from edgevit.backends.placement import Placed, Placement, Unit
from edgevit.graph.program import Program, origin

_UNKNOWN = "no source says that the engine has it"
_NATIVE = "the engine has it, and nothing published speaks against"


@dataclass(frozen=True)
class EngineRule:
    """Rule of a placement; it holds for an operation in `ops` for which every condition does."""

    ops: frozenset[str]  # empty: any
    exempt: frozenset[str]
    conditions: dict[str, Any]
    unit: Unit
    why: str
    source: str


@dataclass(frozen=True)
class EngineRules:
    native: frozenset[str]
    rules: tuple[EngineRule, ...]
    catalog: str  # the source of `native`


def forecast(converted: Any, program: Program, made_from: Sequence[tuple[str, str]]) -> Placement:
    """Predict the unit of each operation; `made_from` has the calls of `program` behind them."""
    places = {node.name: origin(node).place for node in program.calls()}
    written = list(operations(converted))
    behind = calls_behind([operation.signature for operation in written], made_from)
    placed = [
        Placed(
            operation.kind,
            f"#{number}",
            places.get(name, ""),
            *place(operation),
        )
        for number, (operation, name) in enumerate(zip(written, behind, strict=True))
    ]
    return Placement(tuple(placed), sum(one.op == "transpose" for one in placed))


def place(operation: AssetOperation) -> tuple[Unit, str, str]:
    table = load_rules()
    for rule in table.rules:
        if _holds(rule, operation):
            return rule.unit, rule.why, rule.source
    if operation.kind in table.native:
        return "neural_engine", _NATIVE, table.catalog
    return "cpu", _UNKNOWN, table.catalog


@functools.cache
def load_rules() -> EngineRules:
    table = tomllib.loads(Path(__file__).with_name("placement.toml").read_text(encoding="utf-8"))
    sources: dict[str, str] = table["source"]
    return EngineRules(
        frozenset(table["native"]),
        tuple(_rule(entry, sources) for entry in table["rule"]),
        sources["rules"],
    )


def _rule(entry: dict[str, Any], sources: dict[str, str]) -> EngineRule:
    return EngineRule(
        frozenset(entry.get("ops", ())),
        frozenset(entry.get("except", ())),
        {name: bound for name, bound in entry.items() if name in CONDITIONS},
        entry["unit"],
        entry["why"],
        sources[entry["source"]],
    )


def _holds(rule: EngineRule, operation: AssetOperation) -> bool:
    if operation.kind in rule.exempt or (rule.ops and operation.kind not in rule.ops):
        return False
    return all(CONDITIONS[name](operation, bound) for name, bound in rule.conditions.items())


def _has_dtype(operation: AssetOperation, dtypes: list[str]) -> bool:
    return any(value.dtype in dtypes for value in (*operation.results, *operation.operands))


def _has_rank_above(operation: AssetOperation, bound: int) -> bool:
    return any(len(value.shape) > bound for value in (*operation.results, *operation.operands))


def _is_dynamic(operation: AssetOperation, expected: bool) -> bool:
    return any(-1 in value.shape for value in operation.results) == expected


def _has_other_factors(operation: AssetOperation, factors: list[int]) -> bool:
    return any(not _is_product(stride, factors) for stride in operation.strides)


def _is_product(number: int, factors: list[int]) -> bool:
    for factor in factors:
        while number and number % factor == 0:
            number //= factor
    return number == 1


def _has_other_strides(operation: AssetOperation, strides: list[int]) -> bool:
    return any(stride > 1 and stride not in strides for stride in operation.strides)


def _has_constant_factor(operation: AssetOperation, expected: bool) -> bool:
    return operation.has_constant_factor == expected


CONDITIONS: dict[str, Callable[[AssetOperation, Any], bool]] = {
    "dtypes": _has_dtype,
    "rank_above": _has_rank_above,
    "dynamic": _is_dynamic,
    "stride_factors": _has_other_factors,
    "strides": _has_other_strides,
    "constant_factor": _has_constant_factor,
}
