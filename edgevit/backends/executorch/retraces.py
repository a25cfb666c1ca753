"""Passes of ExecuTorch without tracing a graph anew that is as the last trace left it.

Most of its passes look for something, and end with a trace of the whole graph whether they found it
or not. Others ask a hook about each call as they trace: they are asked first, and trace only if a call changes.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

from torch._dispatch.python import enable_python_dispatcher
from torch._ops import OpOverload
from torch._subclasses import FakeTensor
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_arg
from torch.fx.passes.infra.pass_base import PassResult

from edgevit.backends.executorch.known_results import are_same
from edgevit.backends.executorch.tool import module

# what a pass may define and leave calls as they are
_OWN = frozenset({"call", "requires", "ensures"})
_OPERATOR = "call_operator"  # its hook for single calls

Content = list[tuple[object, ...]]


@contextmanager
def needless_retraces_skipped() -> Generator[None]:
    passes = module("exir.pass_base")
    base, plain = passes._ExportPassBase, passes.ExportPass
    trace = base.call
    traced: tuple[Graph, Content] | None = None

    def call(self: Any, graph_module: GraphModule) -> PassResult:
        nonlocal traced
        graph, hooks = graph_module.graph, _hooks(type(self), plain)
        as_traced = hooks <= {_OPERATOR} and traced == (graph, content(graph))
        if as_traced and (not hooks or _leaves_calls(self, graph, passes)):
            return PassResult(graph_module, True)
        result = trace(self, graph_module)
        traced = result.graph_module.graph, content(result.graph_module.graph)
        return result

    base.call = call
    try:
        yield
    finally:
        base.call = trace


def _hooks(kind: type, plain: type) -> set[str]:
    """Return by what a pass changes calls as it traces."""
    names = (name for name in dir(plain) if not name.startswith("__") and name not in _OWN)
    pairs = ((name, getattr(plain, name), getattr(kind, name)) for name in names)
    return {name for name, usual, own in pairs if callable(usual) and own is not usual}


class _ChangesError(Exception):
    """The pass does something else than to repeat the call."""


class _RepeatedResult:
    """Stand-in for the result of a repeated call, which a pass may return and not look at."""

    def __getattr__(self, name: str) -> Any:
        raise _ChangesError


def _leaves_calls(one: Any, graph: Graph, passes: Any) -> bool:
    """Check that the pass's hook repeats each call as it is, without a trace."""
    nodes = [node for node in graph.nodes if node.op == "call_function"]
    edge = module("exir.dialects.edge._ops").EdgeOpOverload
    calls = [node for node in nodes if isinstance(node.target, (OpOverload, edge))]
    values = {node: passes.ProxyValue(node.meta.get("val"), node) for node in graph.nodes}
    modes = (x.data.fake_mode for x in values.values() if isinstance(x.data, FakeTensor))
    attributes = dict(vars(one))
    try:
        with next(modes, nullcontext()), enable_python_dispatcher():
            return all(_repeats(one, node, values, passes) for node in calls)
    finally:
        vars(one).clear()
        vars(one).update(attributes)


def _repeats(one: Any, node: Node, values: dict[Node, Any], passes: Any) -> bool:
    args: Any = map_arg(node.args, values.__getitem__)
    kwargs: Any = map_arg(node.kwargs, values.__getitem__)
    meta, result, count = passes.NodeMetadata(node.meta), _RepeatedResult(), 0

    def repeat(self: Any, op: Any, these: Any, named: Any, its: Any) -> _RepeatedResult:
        nonlocal count
        count += 1
        same = op is node.target and are_same(
            (tuple(these), dict(named)), (tuple(args), dict(kwargs))
        )
        if not same or its is not meta:
            raise _ChangesError
        return result

    with patch.object(passes._ExportPassBase, _OPERATOR, repeat):
        try:
            returned = one.call_operator(node.target, args, kwargs, meta)
        except Exception:  # whatever it needs that only a trace has
            return False
    unchanged = meta.data.keys() == node.meta.keys() and all(
        meta.data[key] is node.meta[key] for key in node.meta
    )
    return returned is result and count == 1 and unchanged


def content(graph: Graph) -> Content:
    return [(node, node.op, node.target, node.args, node.kwargs) for node in graph.nodes]
