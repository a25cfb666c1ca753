"""Passes of ExecuTorch without tracing a graph anew that is as the last trace left it.

Most of its passes look for something, and end with a trace of the whole graph whether they found it
or not. A quantised net goes through seventeen such passes for XNNPACK alone.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from torch.fx import Graph, GraphModule
from torch.fx.passes.infra.pass_base import PassResult

from edgevit.backends.executorch.tool import module

_OWN = frozenset(
    {"call", "requires", "ensures"}
)  # what a pass may define and leave calls as they are

Content = list[tuple[object, ...]]


@contextmanager
def needless_retraces_skipped() -> Generator[None]:
    passes = module("exir.pass_base")
    base, plain = passes._ExportPassBase, passes.ExportPass
    trace = base.call
    traced: tuple[Graph, Content] | None = None

    def call(self: Any, graph_module: GraphModule) -> PassResult:
        nonlocal traced
        if _only_traces(type(self), plain) and traced == (
            graph_module.graph,
            content(graph_module.graph),
        ):
            return PassResult(graph_module, True)
        result = trace(self, graph_module)
        traced = result.graph_module.graph, content(result.graph_module.graph)
        return result

    base.call = call
    try:
        yield
    finally:
        base.call = trace


def _only_traces(kind: type, plain: type) -> bool:
    """Check for a pass that does not change single calls as it traces."""
    names = (name for name in dir(plain) if not name.startswith("__") and name not in _OWN)
    hooks = ((getattr(plain, name), getattr(kind, name)) for name in names)
    return all(own is usual for usual, own in hooks if callable(usual))


def content(graph: Graph) -> Content:
    return [(node, node.op, node.target, node.args, node.kwargs) for node in graph.nodes]
