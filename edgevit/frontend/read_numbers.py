"""Scalars read out of a tensor, replaced by the 0-d tensor that has the scalar.

    y * y.mean().item()              ->   mul(y, mean(y))
    y / (y.std().item() + 1e-5)      ->   div(y, add(std(y), 1e-5))

A tensor without axes counts as a number when the type of a result is decided. A call that takes nothing but a number
there (`full`, an index) is refused: the artifact would have to be another one for each number.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx
from torch.fx.node import Node, map_arg
from torch.utils._pytree import tree_leaves

from edgevit.errors import CaptureError
from edgevit.frontend.kernels import replacement_hint
from edgevit.graph.aten import kind, op
from edgevit.graph.program import origin

aten = torch.ops.aten
# arithmetic of Python -> that of tensors
_ARITHMETIC: dict[Any, Any] = {
    operator.add: aten.add.Tensor,
    operator.sub: aten.sub.Tensor,
    operator.mul: aten.mul.Tensor,
    operator.truediv: aten.div.Tensor,
    operator.pow: aten.pow.Tensor_Scalar,
    operator.neg: aten.neg.default,
    operator.abs: aten.abs.default,
    torch.sym_float: aten._to_copy.default,
}
# the overload that takes a tensor where this one takes a number
_WITH_TENSORS: dict[Any, Any] = {
    aten.pow.Tensor_Scalar: aten.pow.Tensor_Tensor,
    aten.clamp.default: aten.clamp.Tensor,
}
_READS = frozenset({"item", "_local_scalar_dense"})
_NUMBERS = (torch.SymFloat, torch.SymInt, torch.SymBool)


def keep_numbers_in_tensors(graph: fx.Graph) -> None:
    """Replace read-out numbers by 0-d tensors, in place."""
    _drop_unused(graph)
    numbers = [node for node in graph.nodes if isinstance(node.meta.get("val"), _NUMBERS)]
    tensors: set[Node] = set()
    for node in numbers:
        new = node.args[0] if kind(node) in _READS else _computed(graph, node)
        node.replace_all_uses_with(new)
        graph.erase_node(node)
        tensors.add(new)
    for node in graph.nodes:
        if not tensors.isdisjoint(node.all_input_nodes):
            _take_tensors(node, tensors)


def _drop_unused(graph: fx.Graph) -> None:
    """Drop number nodes that torch recorded and that no node uses."""
    for node in reversed(list(graph.nodes)):
        if isinstance(node.meta.get("val"), _NUMBERS) and not node.users:
            graph.erase_node(node)


def _computed(graph: fx.Graph, node: Node) -> Node:
    target, args = _ARITHMETIC.get(node.target), node.args
    kwargs: dict[str, Any] = {}
    if target is None:
        raise _refusal(node, f"`{op(node)}` of it")
    if target is aten._to_copy.default:
        kwargs = {"dtype": torch.float32}
    with graph.inserting_before(node):
        if args and not isinstance(args[0], Node):  # 1 - mean
            first = graph.call_function(aten.scalar_tensor.default, (args[0],))
            first.meta = {"origin": origin(node), "val": _fake(first, node)}
            args = (first, *args[1:])
        new = graph.call_function(target, args, kwargs)
    new.meta = {"origin": origin(node), "val": _fake(new, node)}
    return new


def _fake(new: Node, like: Node) -> torch.Tensor:
    values = [n.meta["val"] for n in like.graph.nodes if n.op == "placeholder"]
    args, kwargs = map_arg((new.args, new.kwargs), lambda source: source.meta["val"])  # type: ignore[misc]
    with values[0].fake_mode, torch.no_grad():
        return new.target(*args, **kwargs)  # type: ignore[operator]


def _take_tensors(node: Node, tensors: set[Node]) -> None:
    if node.op == "output":
        return
    if _numbers_of(node, tensors):
        node.target = _WITH_TENSORS.get(node.target, node.target)
    for name in _numbers_of(node, tensors):
        raise _refusal(node, f"`{op(node)}` takes it as `{name}`")


def _numbers_of(node: Node, tensors: set[Node]) -> list[str]:
    """List the parameters that are declared as a number or a list but receive a tensor."""
    specs = node.target._schema.arguments  # type: ignore[union-attr]
    arguments = {spec.name: value for spec, value in zip(specs, node.args, strict=False)}
    arguments |= node.kwargs
    return [
        spec.name
        for spec in specs
        if "Tensor" not in str(spec.type)
        and any(
            leaf in tensors
            for leaf in tree_leaves(arguments.get(spec.name))
            if isinstance(leaf, Node)
        )
    ]


def _refusal(node: Node, use: str) -> CaptureError:
    return CaptureError(
        "the model reads a number out of a tensor (`.item()`, `float(...)`)",
        where=str(origin(node)),
        why=f"{use}, and an artifact has no numbers that change from run to run, but in tensors",
        hint="leave out `.item()`: compute with the tensor itself; or "
        + replacement_hint(origin(node).module),
    )
