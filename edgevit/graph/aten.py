"""Readers of ATen nodes: the operator, and its arguments by the name the schema gives them."""

from __future__ import annotations

import operator
from functools import cache
from typing import Any

import torch
from torch.fx.node import Node

_MISSING = object()


def op(node: Node) -> str:
    """Return `"conv2d"` for `aten.conv2d.default`, or `"add.Tensor"` with its overload.

    A node that is no call has the name `""`.
    """
    return _name(node.target) if node.op == "call_function" else ""


@cache
def _name(target: Any) -> str:
    if target is operator.getitem:
        return "getitem"
    if not isinstance(target, torch._ops.OpOverload):
        return getattr(target, "__name__", str(target))
    name, overload = target._schema.name.split("::")[-1], target._overloadname
    return name if overload == "default" else f"{name}.{overload}"


def kind(node: Node) -> str:
    """Return the operator without its overload: `"add"` for `add.Tensor` and `add.Scalar`."""
    return op(node).split(".")[0]


def argument(node: Node, name: str) -> Any:
    """Return the value of one argument, or the schema's default where the call leaves it out."""
    if name in node.kwargs:
        return node.kwargs[name]
    for position, spec in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        if spec.name == name:
            if position < len(node.args) and not spec.kwarg_only:
                return node.args[position]
            return spec.default_value
    raise KeyError(f"{op(node)} has no argument `{name}`")


def operand(node: Node) -> Node:
    """Return the first argument, which must be a node."""
    first = node.args[0]
    assert isinstance(first, Node)
    return first


def has_argument(node: Node, name: str) -> bool:
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and any(
        a.name == name for a in target._schema.arguments
    )


def per_dimension(value: int | list[int] | tuple[int, ...], dims: int) -> tuple[int, ...]:
    """Expand a number for each axis, as convolutions and pools state it: `3` or `[3]` -> `(3,
    3)`.
    """
    if isinstance(value, int):
        return (value,) * dims
    return tuple(value) * dims if len(value) == 1 else tuple(value)
