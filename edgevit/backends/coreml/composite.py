"""Ops that coremltools has no name for but ATen defines in terms of others -> that definition.

    flatten(x, 1)   ->   view(x, [1, 768])
    chunk(x, 3, 1)  ->   split(x, 64, 1)

`torch.export` keeps such composite ops whole. ATen's own definition is traced for each one that is met,
so this list never needs an entry. Ops that coremltools knows by name stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import Node

from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program, value


def expand_composites(program: Program, is_known: Callable[[Node], bool]) -> Program:
    draft = Draft(program)
    composites = [node for node in draft.graph.nodes if _is_composite(node) and not is_known(node)]
    for node in composites:
        _inline(node, Edit(draft, "expand-composites", node))
    return draft.program() if composites else program


def _is_composite(node: Node) -> bool:
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and target._can_decompose()


def _inline(node: Node, edit: Edit) -> None:
    """Nodes of the traced definition take the place of `node`; the parts of a tuple that of its `getitem`s."""
    definition = _trace(node)
    copies: dict[Node, Node] = dict(zip(definition.find_nodes(op="placeholder"), node.all_input_nodes, strict=True))
    for inner in definition.nodes:
        if inner.op == "call_function":
            args, kwargs = fx.node.map_arg((inner.args, inner.kwargs), lambda source: copies[source])
            copies[inner] = edit.call(inner.target, *args, **kwargs)  # type: ignore[arg-type]
    result = fx.node.map_arg(definition.output_node().args[0], lambda source: copies[source])
    if isinstance(result, Node):
        edit.replace(node, result)
        return
    for part in list(node.users):
        edit.replace(part, result[part.args[1]])  # type: ignore[index]


def _trace(node: Node) -> fx.Graph:
    target: Any = node.target
    sources = node.all_input_nodes

    def definition(*tensors: torch.Tensor) -> Any:
        given = dict(zip(sources, tensors, strict=True))
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda source: given[source])
        return target.decompose(*args, **kwargs)

    with torch.no_grad():
        return make_fx(definition, tracing_mode="fake")(*[value(source) for source in sources]).graph
