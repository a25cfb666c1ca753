"""Calls that write into a tensor -> calls that return a new one.

    relu_(x); y = f(x)   ->   x1 = relu(x); y = f(x1)

`torch.export` keeps in-place calls as the model wrote them. They are rewritten here by hand, because
torch's own functionalisation retraces the whole graph and costs more than the export itself. What
is not plain (a write through a view that others read, a write into an input or a constant) is left to torch.
"""

from __future__ import annotations

import torch
from torch import fx
from torch.fx.node import Node, map_arg

# Their schemas declare no alias, and for some arguments they return their input's memory.
_MAY_BE_VIEWS = frozenset(
    {"reshape", "flatten", "contiguous", "to", "expand_as", "view_as", "type_as", "unflatten", "dropout",
     "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "einsum", "meshgrid", "broadcast_tensors",
     "atleast_1d", "atleast_2d", "atleast_3d"}
)  # fmt: skip


class NotFunctionalError(Exception):
    """A write that reaches a tensor with another name."""


def make_functional(graph: fx.Graph) -> None:
    """Make all writes functional.

    Raises `NotFunctionalError` and leaves the graph half-way when a write is not plain: the caller starts
    afresh.
    """
    for node in list(graph.nodes):
        if _mutates(node):
            _replace(graph, node)


def written_inputs(graph: fx.Graph) -> set[str]:
    """Return the names of the graph's inputs that a call writes into, or into a view of."""
    written: set[str] = set()
    for node in graph.nodes:
        if _mutates(node):
            group = set().union(*(_aliases(source, node) for source in node.all_input_nodes))
            written |= {source.name for source in group if source.op == "placeholder"}
    return written


def _mutates(node: Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _replace(graph: fx.Graph, node: Node) -> None:
    written = node.args[0]
    target = _functional_overload(node)
    if target is None or not isinstance(written, Node) or _is_seen_elsewhere(graph, written, node):
        raise NotFunctionalError(f"{node.target} writes into {written}")
    if _type_of(target, node) != node.meta["val"].dtype:
        raise NotFunctionalError(f"{node.target} narrows its result to the type of {written}")
    with graph.inserting_before(node):
        new = graph.call_function(target, node.args, node.kwargs)
    new.meta = dict(node.meta)
    later = _after(graph, node)
    written.replace_all_uses_with(new, delete_user_cb=lambda user: user in later)
    node.replace_all_uses_with(new)
    graph.erase_node(node)


def _functional_overload(node: Node) -> torch._ops.OpOverload | None:
    """Return `aten.relu` for `aten.relu_`, when both take the same arguments."""
    target = node.target
    assert isinstance(target, torch._ops.OpOverload)
    name = target._schema.name.split("::")[-1]
    if not name.endswith("_") or name.startswith("__"):
        return None
    packet = getattr(torch.ops.aten, name[:-1], None)
    overload = getattr(packet, target._overloadname, None) if packet is not None else None
    if overload is None or len(overload._schema.arguments) != len(target._schema.arguments):
        return None
    return overload


def _type_of(target: torch._ops.OpOverload, node: Node) -> torch.dtype:
    """Return the type of the out-of-place result: `x += y` keeps the type of `x`, and `x + y` may
    have the wider one of `y`.
    """
    args, kwargs = map_arg((node.args, node.kwargs), lambda source: source.meta["val"])  # type: ignore[misc]
    with node.meta["val"].fake_mode, torch.no_grad():
        return target(*args, **kwargs).dtype


def _is_seen_elsewhere(graph: fx.Graph, written: Node, writer: Node) -> bool:
    """Check for an alias of `written` (its base, or another view of it) that is read after the
    write.
    """
    if written.op != "call_function":
        return True
    later = _after(graph, writer)
    group = _aliases(written, writer)
    outside = group - {written}
    return any(user in later for node in outside for user in node.users)


def _aliases(node: Node, writer: Node) -> set[Node]:
    """Return all nodes that may share memory with `node`, through any chain of views but the
    writer's own result.
    """
    group, stack = set(), [node]
    while stack:
        current = stack.pop()
        if current in group or current is writer:
            continue
        group.add(current)
        if _is_view(current):
            stack.extend(current.all_input_nodes)
        stack.extend(user for user in current.users if _is_view(user))
    return group


def _is_view(node: Node) -> bool:
    """Check for a call that may return (part of) its input's memory.

    Reshape and friends may: they count.
    """
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return node.op == "call_function"  # getitem
    return (
        any(ret.alias_info is not None for ret in target._schema.returns)
        or target._schema.name.split("::")[-1] in _MAY_BE_VIEWS
    )


def _after(graph: fx.Graph, node: Node) -> set[Node]:
    later, current = set(), node.next
    while current.op != "root":
        later.add(current)
        current = current.next
    return later
