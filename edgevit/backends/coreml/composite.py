"""Ops that coremltools cannot take but ATen defines in terms of others -> that definition.

    flatten(x, 1)    ->   view(x, [1, 768])
    chunk(x, 3, 1)   ->   split(x, 64, 1)
    log_sigmoid(x)   ->   min(x, 0) - log1p(exp(-abs(x)))

`torch.export` keeps composite ops whole. The definition of each one that is met is traced, composites by
what torch itself dispatches them to, others by torch's table of decompositions, so that no list is
kept here. An op that coremltools takes as it is stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import Node

from edgevit.graph.aten import op
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program, value


def expand_composites(program: Program, is_taken: Callable[[Node], bool]) -> Program:
    """No node is left that is not taken and has a definition."""
    draft = Draft(program)
    todo = [node for node in draft.graph.nodes if _must_expand(node, is_taken)]
    if not todo:
        return program
    while todo:
        node = todo.pop()
        todo += [new for new in _inline(node, draft) if _must_expand(new, is_taken)]
    return draft.program()


def has_definition(node: Node) -> bool:
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return False
    return target._can_decompose() or target in torch._decomp.decomposition_table


def _must_expand(node: Node, is_taken: Callable[[Node], bool]) -> bool:
    return node.op == "call_function" and not is_taken(node) and has_definition(node)


def _inline(node: Node, draft: Draft) -> list[Node]:
    """The traced definition takes the place of `node`, its parts the place of `node`'s `getitem`s."""
    edit = Edit(draft, "expand-composites", node)
    definition = _trace(node)
    copies: dict[Node, Node] = dict(
        zip(definition.graph.find_nodes(op="placeholder"), node.all_input_nodes, strict=True)
    )
    made: list[Node] = []
    for inner in definition.graph.nodes:
        if inner.op == "get_attr":
            copies[inner] = edit.constant(getattr(definition, str(inner.target)), "constant")
        if inner.op == "call_function":
            args, kwargs = fx.node.map_arg((inner.args, inner.kwargs), lambda n: copies[n])  # type: ignore[misc]
            copies[inner] = edit.call(inner.target, *args, **kwargs)  # type: ignore[arg-type]
            made.append(copies[inner])
    result = fx.node.map_arg(definition.graph.output_node().args[0], lambda n: copies[n])
    if isinstance(result, Node):
        edit.replace(node, result)
    else:
        for part in list(node.users):
            edit.replace(part, result[part.args[1]])  # type: ignore[index]
    return [new for new in made if not new._erased]


def _trace(node: Node) -> fx.GraphModule:
    """As it is if that is functional; a definition that fills a buffer in place is traced functionalised."""
    sources = node.all_input_nodes
    fakes = [value(source) for source in sources]
    compute = _definition(node)

    def definition(*tensors: torch.Tensor) -> Any:
        given = dict(zip(sources, tensors, strict=True))
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda source: given[source])  # type: ignore[misc]
        return compute(*args, **kwargs)  # type: ignore[misc]

    with torch.no_grad():
        traced = make_fx(definition, tracing_mode="fake")(*fakes)
        if any(_mutates(inner) for inner in traced.graph.nodes):
            functional = torch.func.functionalize(definition, remove="mutations")
            traced = make_fx(functional, tracing_mode="fake")(*fakes)
    if any(op(inner) == op(node) for inner in traced.graph.nodes):
        raise AssertionError(f"the definition of {op(node)} uses {op(node)}")
    return traced


def _definition(node: Node) -> Callable[..., Any]:
    target: Any = node.target
    if target._can_decompose():
        return target.decompose
    return torch._decomp.decomposition_table[target]


def _mutates(node: Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable
