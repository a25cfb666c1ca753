"""Expansion of a call into its definition: a Python function of tensors, traced into the graph."""

# Whether oneDNN is on is asked of torch's own switch: the public one prints a warning about TF32.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any

import torch
from torch import fx
from torch._subclasses.functional_tensor import dispatch_functionalize
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import Node, map_arg

from edgevit.graph.aten import mapped_arguments
from edgevit.graph.edit import Edit
from edgevit.graph.program import value


def traced(node: Node, compute: Callable[..., Any]) -> fx.GraphModule:
    """Trace `compute` on fake tensors, with the arguments of `node`.

    A definition that writes in place, as torch's of a GRU's cell does, is traced again without its writes.
    """
    sources = node.all_input_nodes

    def definition(*tensors: torch.Tensor) -> Any:
        by_source = dict(zip(sources, tensors, strict=True))
        args, kwargs = mapped_arguments(node, by_source.__getitem__)
        return compute(*args, **kwargs)

    values = [value(source) for source in sources]
    with torch.no_grad(), _without_onednn():
        graph = make_fx(definition, tracing_mode="fake")(*values)
        if any(_writes(call) for call in calls_of(graph)):
            graph = make_fx(dispatch_functionalize(definition), tracing_mode="fake")(*values)
    return graph


@contextlib.contextmanager
def _without_onednn() -> Generator[None]:
    """Turn oneDNN off, with which torch defines an LSTM as one call that no converter knows."""
    enabled = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(enabled)


def _writes(call: Node) -> bool:
    return isinstance(call.target, torch._ops.OpOverload) and call.target._schema.is_mutable


def calls_of(traced: fx.GraphModule) -> list[Node]:
    return [node for node in traced.graph.nodes if node.op == "call_function"]


def copied(traced: fx.GraphModule, node: Node, edit: Edit) -> tuple[list[Node], Any]:
    """Copy the traced calls in place of `node`.

    Returns the new calls and the result: a node, or several where `node` gives several.
    """
    inputs = zip(traced.graph.find_nodes(op="placeholder"), node.all_input_nodes, strict=True)
    copies: dict[Node, Node] = dict(inputs)
    for inner in traced.graph.nodes:
        if inner.op == "get_attr":
            copies[inner] = edit.constant(getattr(traced, str(inner.target)), "constant")
        elif inner.op == "call_function":
            copies[inner] = edit.copied(inner, copies.__getitem__)
    result = map_arg(traced.graph.output_node().args[0], lambda n: copies[n])
    return [copies[inner] for inner in calls_of(traced)], result
