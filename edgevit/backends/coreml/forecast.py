"""Predicted unit of each operation of a saved package: the Neural Engine, the GPU or the CPU.

The rules are data, each with its source: `placement.toml`. They are not measured by this project.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from edgevit.backends.coreml.check.program import Function, MilPackage, Operation, Ref, ValueType
from edgevit.backends.coreml.places import places
from edgevit.backends.placement import Placed, Placement, Unit
from edgevit.backends.placement_rules import PlacementRules, read_rules
from edgevit.graph.program import Program


@dataclass(frozen=True)
class OperationFacts:
    """Facts about an operation for the rules: results, computed operands and known constants."""

    operation: Operation
    results: tuple[ValueType, ...]
    operands: tuple[ValueType, ...]
    constants: dict[str, Any]  # its arguments that are known, by name

    def shapes(self) -> Iterator[tuple[int, ...]]:
        for value in (*self.results, *self.operands):
            if value.shape is not None:
                yield tuple(size or 0 for size in value.shape)


def forecast(package: MilPackage, program: Program) -> Placement:
    """Predict the unit of each operation; `program` is what the package was lowered from."""
    function = package.main
    where = places(function, program)
    types = {value.name: value.type for value in function.inputs}
    types |= {out.name: out.type for operation in function.operations for out in operation.outputs}
    placed = []
    for operation in function.operations:
        unit, why, source = place(_facts(operation, function, types))
        placed.append(
            Placed(operation.kind, operation.name, where.get(operation.name, ""), unit, why, source)
        )
    return Placement(tuple(placed), function.op_counts()["transpose"])


def place(facts: OperationFacts) -> tuple[Unit, str, str]:
    return _rules().place(facts.operation.kind, lambda name, bound: CONDITIONS[name](facts, bound))


@functools.cache
def _rules() -> PlacementRules:
    return read_rules(Path(__file__).with_name("placement.toml"), CONDITIONS, "catalog")


def _facts(operation: Operation, function: Function, types: dict[str, ValueType]) -> OperationFacts:
    constants = {
        name: function.constants[bound.name] if isinstance(bound, Ref) else bound
        for name, bindings in operation.arguments.items()
        for bound in bindings[:1]
        if not isinstance(bound, Ref) or bound.name in function.constants
    }
    operands = tuple(types[name] for name in operation.reads() if name in types)
    return OperationFacts(
        operation, tuple(out.type for out in operation.outputs), operands, constants
    )


def _has_dtype(facts: OperationFacts, dtypes: list[str]) -> bool:
    return any(value.dtype in dtypes for value in (*facts.results, *facts.operands))


def _is_dynamic(facts: OperationFacts, expected: bool) -> bool:
    shapes = [value.shape for value in facts.results]
    return any(shape is None or None in shape for shape in shapes) == expected


def _has_rank_above(facts: OperationFacts, bound: int) -> bool:
    return any(len(shape) > bound for shape in facts.shapes())


def _has_extent_above(facts: OperationFacts, bound: int) -> bool:
    return any(size > bound for shape in facts.shapes() for size in shape[-2:])


def _has_channels_above(facts: OperationFacts, bound: int) -> bool:
    return any(shape[-3] > bound for shape in facts.shapes() if len(shape) > 2)


def _has_depth_above(facts: OperationFacts, bound: int) -> bool:
    return any(shape[1] > bound for shape in facts.shapes() if len(shape) == 5)


def _has_kernel_above(facts: OperationFacts, bound: list[int]) -> bool:
    weight = facts.constants.get("weight")
    if not isinstance(weight, Tensor):
        return False
    window = ([1, *weight.shape[2:]])[-2:]
    return any(size > most for size, most in zip(window, bound, strict=True))


def _reduces_above(facts: OperationFacts, bound: int) -> bool:
    axis = int(facts.constants.get("axis", -1))
    shape = facts.operands[0].shape
    return shape is not None and (shape[axis] or 0) > bound


def _has_mode(facts: OperationFacts, modes: list[str]) -> bool:
    return facts.constants.get("mode", "constant") in modes


def _pads_before_last(facts: OperationFacts, bound: int) -> bool:
    """Return whether `pad` pads an axis before the last `bound`.

    `pad` holds two numbers for each of the last axes that it names.
    """
    pad = facts.constants.get("pad")
    return isinstance(pad, Tensor) and bool(pad.flatten()[: -2 * bound].any())


CONDITIONS: dict[str, Callable[[OperationFacts, Any], bool]] = {
    "dtypes": _has_dtype,
    "dynamic": _is_dynamic,
    "rank_above": _has_rank_above,
    "extent_above": _has_extent_above,
    "channels_above": _has_channels_above,
    "depth_above": _has_depth_above,
    "kernel_above": _has_kernel_above,
    "reduced_above": _reduces_above,
    "modes": _has_mode,
    "pads_before_last": _pads_before_last,
}
