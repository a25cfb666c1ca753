"""Operations of a converted program, with what the rules of placement ask of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgevit.backends.coreai.places import signature

MAIN = "main"
_TYPE = re.compile(r"tensor<((?:[\d?]+x)*)([a-z]+\d*)")
_COMPOSITE = re.compile(r'composite_declaration<"(\w+)"')
_CALLEE = re.compile(r"@(\w+)")
_STRIDES = {"conv2d": 2, "conv2d_transpose": 2, "max_pool_2d": 2, "sum_pool_2d": 2, "avg_pool_2d": 2}  # fmt: skip


@dataclass(frozen=True)
class AssetType:
    shape: tuple[int, ...]  # -1: not fixed
    dtype: str  # as Core AI calls it: "f16", "si32"


@dataclass(frozen=True)
class AssetOperation:
    kind: str
    signature: str  # kind and types of its results, as the converter has them
    results: tuple[AssetType, ...]
    operands: tuple[AssetType, ...]
    strides: tuple[int, ...]
    has_constant_factor: bool  # an operand is a constant, or a constant transposed


def operations(converted: Any) -> Iterator[AssetOperation]:
    """Yield the operations of the main function in order. A composite is one operation."""
    functions = {
        _text(function, "sym_name").strip('"'): function
        for function in _body(converted._module._mlir_module.operation)
    }
    for operation in _body(functions[MAIN]):
        if operation.name not in {"coreai.constant", "coreai.output"} and not _is_folded(operation):
            yield _operation(operation, functions)


def _operation(operation: Any, functions: dict[str, Any]) -> AssetOperation:
    kind = operation.name.removeprefix("coreai.").removeprefix("decomposable.")
    if kind == "invoke":
        callee = next(m[1] for a in operation.attributes if (m := _CALLEE.search(str(a.attr))))
        composite = _COMPOSITE.search(_text(functions[callee], "composite_decl"))
        kind = composite[1] if composite else callee
    operands = list(operation.operands)
    place = _STRIDES.get(kind)
    return AssetOperation(
        kind,
        signature(operation),
        tuple(_type(value) for value in operation.results),
        tuple(_type(value) for value in operands if not _is_number(value)),
        _numbers(operands[place]) if place is not None and place < len(operands) else (),
        any(_is_constant(value) for value in operands[:2]),
    )


def _is_folded(operation: Any) -> bool:
    """Return whether all it reads is constant: the compiler works it out."""
    return all(_is_constant(value) for value in operation.operands)


def _is_constant(value: Any) -> bool:
    owner = value.owner
    name = getattr(owner, "name", "")  # the arguments of the function have a block
    return name == "coreai.constant" or (
        name == "coreai.transpose" and all(map(_is_constant, owner.operands))
    )


def _is_number(value: Any) -> bool:
    """Return whether the value is one constant, which has no type of its own on the engine."""
    return _is_constant(value) and not _type(value).shape


def _numbers(value: Any) -> tuple[int, ...]:
    dense = _text(value.owner, "value") if _is_constant(value) else ""
    return tuple(map(int, re.findall(r"\d+", dense.partition(">")[0])))


def _type(value: Any) -> AssetType:
    match = _TYPE.search(str(value.type))
    if match is None:
        return AssetType((), str(value.type))
    sizes = match[1].split("x")[:-1]
    return AssetType(tuple(-1 if size == "?" else int(size) for size in sizes), match[2])


def _body(operation: Any) -> list[Any]:
    return [inner.operation for inner in operation.regions[0].blocks[0].operations]


def _text(operation: Any, attribute: str) -> str:
    attributes = operation.operation.attributes
    return str(attributes[attribute]) if attribute in attributes else ""
