"""Predicted unit of each operation of an asset: the Neural Engine, the GPU or the CPU.

The rules are data, each with its source: `placement.toml`. They are not measured by this project.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgevit.backends.coreai.operations import AssetOperation, operations
from edgevit.backends.coreai.places import calls_behind
from edgevit.backends.placement import Placed, Placement, Unit
from edgevit.backends.placement_rules import PlacementRules, read_rules
from edgevit.graph.program import Program, origin


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
    return _rules().place(operation.kind, lambda name, bound: CONDITIONS[name](operation, bound))


@functools.cache
def _rules() -> PlacementRules:
    return read_rules(Path(__file__).with_name("placement.toml"), CONDITIONS, "rules")


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
