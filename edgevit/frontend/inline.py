"""Calls of a subgraph that only sets a mode around it -> the subgraph's own calls.

    with torch.autocast(enabled=False): f(x)      with torch.no_grad(): f(x)      ->   f(x)

`torch.export` keeps such blocks as higher-order calls. Neither changes what is computed here: we export without
gradients, and autocast that is off computes in the types it is given. Autocast that is on is refused.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from torch import fx
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
        if node.op != "call_function" or name not in _SUBGRAPH:
            continue
        inner = operator.attrgetter(str(node.args[_SUBGRAPH[name]].target))(gm)
        if name == "wrap_with_autocast" and node.args[_ENABLED]:
            raise CaptureError(
                "the model switches autocast on",
                where=_where(inner),
                why="which calls it narrows depends on the device that runs it",
                hint="cast explicitly, or take the autocast block out: --precision chooses the device's type",
            )
        _inline(gm, node, inner, node.args[_SUBGRAPH[name] + 1 :])
    gm.graph.eliminate_dead_code()


def _where(inner: fx.GraphModule) -> str:
    """The wrapping call itself carries no line; the calls inside it do."""
    traces = (node.meta.get("stack_trace") for node in inner.graph.nodes)
    return next((place for trace in traces if (place := source_of_trace(trace or ""))), "")


def _inline(gm: fx.GraphModule, node: Node, inner: fx.GraphModule, inputs: Sequence[Any]) -> None:
    inline_modes(inner)
    _adopt_attributes(gm, inner, node.name)
    placeholders = [n for n in inner.graph.nodes if n.op == "placeholder"]
    given = dict(zip(placeholders, inputs, strict=True))
    with gm.graph.inserting_before(node):
        results = gm.graph.graph_copy(inner.graph, val_map=given)  # type: ignore[arg-type]
    if isinstance(results, Node):
        node.replace_all_uses_with(results)
    for part in list(node.users):
        part.replace_all_uses_with(results[part.args[1]])  # type: ignore[index]
        gm.graph.erase_node(part)
    gm.graph.erase_node(node)


def _adopt_attributes(gm: fx.GraphModule, inner: fx.GraphModule, prefix: str) -> None:
    """What the subgraph reads becomes an attribute of the whole."""
    for node in inner.graph.nodes:
        if node.op == "get_attr":
            name = f"{prefix}_{str(node.target).replace('.', '_')}"
            setattr(gm, name, operator.attrgetter(str(node.target))(inner))
            node.target = name
