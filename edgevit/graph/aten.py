"""Readers of ATen nodes: the operator, and its arguments by the name the schema gives them.

torch leaves much of a node untyped. Its types end here: what the readers return is typed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache
from typing import Any, cast

import torch
from torch._ops import OpOverload  # pyright: ignore[reportPrivateUsage]  # it has no public name
from torch.fx.node import Node, map_arg

Overload = OpOverload[..., Any]


def op(node: Node) -> str:
    """Return `"conv2d"` for `aten.conv2d.default`, or `"add.Tensor"` with its overload.

    A node that is no call has the name `""`.
    """
    return _name(node.target) if node.op == "call_function" else ""


@cache
def _name(target: Any) -> str:
    if target is operator.getitem:
        return "getitem"
    if not isinstance(target, OpOverload):
        return getattr(target, "__name__", str(target))
    schema = _schema(cast(Overload, target))
    name, overload = schema.name.split("::")[-1], schema.overload_name
    return f"{name}.{overload}" if overload else name


def _schema(target: Overload) -> Any:
    return target._schema  # pyright: ignore[reportPrivateUsage]


def kind(node: Node) -> str:
    """Return the operator without its overload: `"add"` for `add.Tensor` and `add.Scalar`."""
    return op(node).split(".")[0]


def overload(node: Node) -> Overload | None:
    """Return the overload that a call calls; None for `getitem` and nodes that are no call."""
    target: Any = node.target
    return cast(Overload, target) if isinstance(target, OpOverload) else None


def function_of(node: Node) -> Callable[..., Any]:
    """Return what a call calls."""
    assert callable(node.target)
    return node.target


def run_call(node: Node, *args: Any, **kwargs: Any) -> torch.Tensor:
    """Run the operator of a call that has one tensor as result, on tensors."""
    return function_of(node)(*args, **kwargs)


def has_tag(node: Node, tag: torch.Tag) -> bool:
    target = overload(node)
    return target is not None and tag in target.tags


# Composite, so torch does not tag them.
_UNTAGGED = frozenset({"__and__", "__or__", "__xor__", "hardswish", "log_sigmoid"})


def is_elementwise(node: Node) -> bool:
    return has_tag(node, torch.Tag.pointwise) or kind(node) in _UNTAGGED


@cache
def _parameters(target: Overload) -> dict[str, Any]:
    return {spec.name: spec for spec in _schema(target).arguments}


def parameter_names(node: Node) -> list[str]:
    """Return the names of a call's arguments, in the order of its schema."""
    target = overload(node)
    return list(_parameters(target)) if target else []


def argument(node: Node, name: str) -> Any:
    """Return the value of one argument, or the schema's default where the call leaves it out."""
    if name in node.kwargs:
        return node.kwargs[name]
    names = parameter_names(node)
    if name not in names:
        raise KeyError(f"{op(node)} has no argument `{name}`")
    position, spec = names.index(name), _parameters(cast(Overload, node.target))[name]
    if position < len(node.args) and not spec.kwarg_only:
        return node.args[position]
    return spec.default_value


def has_argument(node: Node, name: str) -> bool:
    return name in parameter_names(node)


def integer(node: Node, name: str) -> int:
    """Return an argument that is an integer."""
    number = argument(node, name)
    assert isinstance(number, int)
    return number


def node_argument(node: Node, name: str) -> Node:
    """Return an argument that is a value of the graph."""
    source = argument(node, name)
    assert isinstance(source, Node)
    return source


def optional_node(node: Node, name: str) -> Node | None:
    """Return an argument that is a value of the graph, or None where the call has none."""
    return None if argument(node, name) is None else node_argument(node, name)


def call_of(node: Node) -> Node:
    """Return the call that a node is a part of the result of, or the node itself."""
    while node.target is operator.getitem:
        node = operand(node)
    return node


def operand(node: Node, place: int = 0) -> Node:
    """Return an argument by its place, the first one by default; it must be a node."""
    source = node.args[place]
    assert isinstance(source, Node)
    return source


def operand_list(node: Node, place: int = 0) -> list[Node]:
    """Return a list of values, as `cat` has one."""
    sources = cast(list[Node], node.args[place])
    return list(sources)


def mapped_arguments(
    node: Node, change: Callable[[Node], Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return a call's arguments with each value of the graph in them, nested ones too, changed."""
    args, kwargs = cast(Any, map_arg((node.args, node.kwargs), change))
    return tuple(args), dict(kwargs)


def per_dimension(value: int | list[int] | tuple[int, ...], dims: int) -> tuple[int, ...]:
    """Expand a number for each axis, as convolutions and pools state it: `3` or `[3]` -> `(3,
    3)`.
    """
    if isinstance(value, int):
        return (value,) * dims
    return tuple(value) * dims if len(value) == 1 else tuple(value)
