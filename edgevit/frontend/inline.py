"""Inlining of subgraphs that only set a mode around their calls.

    with torch.autocast(enabled=False): f(x)      with torch.no_grad(): f(x)      ->   f(x)
    torch.cond(p, f, g, (x,))                                                     ->   where(p, f(x), g(x))

`torch.export` keeps such blocks as higher-order calls. Neither changes what is computed here: we export without
gradients, and autocast that is off computes in the types it is given. Autocast that is on is refused, and so are the
higher-order calls that have no static form.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx
from torch._ops import HigherOrderOperator
from torch.fx.node import Node

from edgevit.errors import CaptureError
from edgevit.frontend.lines import source_of_trace

_ENABLED = 2  # wrap_with_autocast(device, dtype, enabled, cache, subgraph, *inputs)
# higher-order call -> the place of the subgraph among its arguments; its inputs follow
_SUBGRAPH = {
    "wrap_with_autocast": 4,
    "wrap_with_set_grad_enabled": 1,
    "tag_activation_checkpoint": 0,
}


def inline_modes(gm: fx.GraphModule) -> None:
    for node in list(gm.graph.nodes):
        name = getattr(node.target, "__name__", "")
        if not isinstance(node.target, HigherOrderOperator):
            continue
        inner = _subgraphs(gm, node)
        if name == "cond":
            _choose(gm, node, *inner)
            continue
        if name not in _SUBGRAPH:
            raise _no_static_form(name, node, inner)
        if name == "wrap_with_autocast" and node.args[_ENABLED]:
            raise CaptureError(
                "the model switches autocast on",
                where=_where(inner[0]),
                why="which calls it narrows depends on the device that runs it",
                hint="cast explicitly, or take the autocast block out: --precision chooses the device's type",
            )
        _instead(node, _inlined(gm, node, inner[0], node.args[_SUBGRAPH[name] + 1 :]))
    gm.graph.eliminate_dead_code()


def _subgraphs(gm: fx.GraphModule, node: Node) -> list[fx.GraphModule]:
    read = [
        operator.attrgetter(str(n.target))(gm) for n in node.all_input_nodes if n.op == "get_attr"
    ]
    return [module for module in read if isinstance(module, fx.GraphModule)]


def _no_static_form(name: str, node: Node, inner: Sequence[fx.GraphModule]) -> CaptureError:
    places = (source_of_trace(node.meta.get("stack_trace") or ""), *map(_where, inner))
    return CaptureError(
        f"the model calls `{name}`, which torch.export keeps as a call of functions",
        where=next(filter(None, places), ""),
        why="no device format has a form for it",
        hint="write it out with tensors: a loop in Python, `torch.where`, or plain attention with a mask",
    )


def _where(inner: fx.GraphModule) -> str:
    """Return the source line of the first inner call that has one; the wrapping call itself has
    none.
    """
    traces = (node.meta.get("stack_trace") for node in inner.graph.nodes)
    return next((place for trace in traces if (place := source_of_trace(trace or ""))), "")


def _choose(gm: fx.GraphModule, node: Node, yes: fx.GraphModule, no: fx.GraphModule) -> None:
    """Compute both sides and select by the condition; a condition of one value broadcasts."""
    condition, inputs = node.args[0], node.args[3]
    if not isinstance(condition, Node) or not isinstance(condition.meta["val"], torch.Tensor):
        raise _no_static_form("cond", node, (yes, no))
    sides = [_inlined(gm, node, inner, inputs) for inner in (yes, no)]  # type: ignore[arg-type]
    results = []
    for one, other in zip(*sides, strict=True):
        with gm.graph.inserting_before(node):
            result = gm.graph.call_function(torch.ops.aten.where.self, (condition, one, other))
        result.meta = dict(one.meta)
        results.append(result)
    _instead(node, results)


def _inlined(
    gm: fx.GraphModule, node: Node, inner: fx.GraphModule, inputs: Sequence[Any]
) -> Node | Sequence[Node]:
    """Copy the subgraph's calls before `node`; return their results."""
    inline_modes(inner)
    _adopt_attributes(gm, inner, node.name)
    placeholders = [n for n in inner.graph.nodes if n.op == "placeholder"]
    arguments = dict(zip(placeholders, inputs, strict=True))
    with gm.graph.inserting_before(node):
        return gm.graph.graph_copy(inner.graph, val_map=arguments)  # type: ignore[arg-type,return-value]


def _instead(node: Node, results: Node | Sequence[Node]) -> None:
    if isinstance(results, Node):
        node.replace_all_uses_with(results)
    for part in list(node.users):
        part.replace_all_uses_with(results[part.args[1]])  # type: ignore[index]
        node.graph.erase_node(part)
    node.graph.erase_node(node)


def _adopt_attributes(gm: fx.GraphModule, inner: fx.GraphModule, prefix: str) -> None:
    """Register the attributes that the subgraph reads on the whole module."""
    for node in inner.graph.nodes:
        if node.op == "get_attr":
            name = f"{prefix}_{str(node.target).replace('.', '_')}"
            while hasattr(gm, name):  # that of the other side of a `cond`
                name += "_"
            setattr(gm, name, operator.attrgetter(str(node.target))(inner))
            node.target = name
