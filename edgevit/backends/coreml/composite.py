"""Ops that coremltools cannot take but ATen defines in terms of others -> that definition.

    flatten(x, 1)       ->   view(x, [1, 768])
    chunk(x, 3, 1)      ->   split(x, 64, 1)
    addcmul(x, a, b)    ->   x + a * b

`torch.export` keeps composite ops whole. The definition of each one that is met is traced: for composites
what torch itself dispatches them to, for others torch's table of decompositions; our own `definitions` come
first. An op that coremltools takes as it is stays as it is, and so does one whose definition fills buffers
in place or leaves ATen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch._decomp import decomposition_table
from torch.fx.node import Node

from edgevit.backends.coreml import definitions
from edgevit.graph.aten import op
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program
from edgevit.graph.traced import calls_of, copied, traced


def expand_composites(program: Program, is_taken: Callable[[Node], bool]) -> Program:
    """Expand every call that is not taken and has a definition, repeatedly, until none is left."""
    draft = Draft(program)
    todo = [node for node in draft.graph.nodes if _must_expand(node, is_taken)]
    if not todo:
        return program
    while todo:
        node = todo.pop()
        if not node._erased:
            todo += [new for new in _expand(node, draft) if _must_expand(new, is_taken)]
    return draft.program()


def _must_expand(node: Node, is_taken: Callable[[Node], bool]) -> bool:
    return node.op == "call_function" and not is_taken(node) and _definition(node) is not None


def _definition(node: Node) -> Callable[..., Any] | None:
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return None
    ours = definitions.definition(node)
    if ours is None and target._can_decompose():
        return target.decompose
    return ours or decomposition_table.get(target)


def _expand(node: Node, draft: Draft) -> list[Node]:
    """Expand a node and return the new nodes; none if its definition cannot be used."""
    compute: Any = _definition(node)
    definition = traced(node, compute)
    if any(_is_foreign(call) or _is_again(call, node) for call in calls_of(definition)):
        return []
    return _inline(definition, node, Edit(draft, "expand-composites", node))


def _is_foreign(call: Node) -> bool:
    """Return whether the call is not functional or not ATen (`prims`, building a named tuple)."""
    target = call.target
    if not isinstance(target, torch._ops.OpOverload):
        return op(call) != "getitem"
    return target.namespace != "aten" or target._schema.is_mutable


def _is_again(call: Node, node: Node) -> bool:
    """Return whether a definition uses the op it defines, in a form that coremltools cannot read.

    It may use the op in the form that coremltools reads: `add(x, y * alpha)`.
    """
    return op(call) == op(node) and (
        not definitions.is_misread(node) or definitions.is_misread(call)
    )


def _inline(definition: fx.GraphModule, node: Node, edit: Edit) -> list[Node]:
    """Replace `node` by the traced calls, and its `getitem`s by their parts."""
    calls, result = copied(definition, node, edit)
    if isinstance(result, Node):
        edit.replace(node, result)
    else:
        for part in list(node.users):
            edit.replace(part, result[part.args[1]])  # type: ignore[index]
    return calls
