"""Writes by a mask of what the same mask reads -> a choice, whose shapes are known.

    x[mask] = number              ->   where(mask, number, x)
    x[mask] = y[mask]             ->   where(mask, y, x)
    x[mask] = f(y[mask], z[mask]) ->   where(mask, f(y, z), x)        f: of each number by itself

`y[mask]` has as many numbers as the mask has ones, which no device can plan for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.fx.node import Node, map_arg

from edgevit.graph.aten import kind

_ATEN = torch.ops.aten


def choose_by_masks(graph: fx.Graph) -> None:
    """Replace the writes by choices, in place; those that read something else are left."""
    is_tried = False
    for node in list(graph.nodes):
        if kind(node) != "index_put" or _accumulates(node):
            continue
        arguments: Any = node.args
        into, indices, values = arguments[:3]
        mask: Any = indices[0] if len(indices) == 1 else None
        if not _is_mask(mask) or not isinstance(values, Node):
            continue
        is_tried = True
        with graph.inserting_before(node):
            rank = into.meta["val"].ndim - mask.meta["val"].ndim
            if _is_static(values):
                whole = values if values.meta["val"].ndim <= rank else None  # else as many as ones
            else:
                whole = _whole(graph, values, mask, into.meta["val"].shape)
            if whole is None:
                continue
            size = [*mask.meta["val"].shape, *[1] * rank]
            fits = _call(graph, _ATEN.reshape.default, (mask, size), node)
            chosen = _call(graph, _ATEN.where.self, (fits, whole, into), node)
        node.replace_all_uses_with(chosen)
        graph.erase_node(node)
    if is_tried:
        graph.eliminate_dead_code()


def _accumulates(node: Node) -> bool:
    return bool(node.args[3] if len(node.args) > 3 else node.kwargs.get("accumulate", False))


def _is_mask(node: Any) -> bool:
    return isinstance(node, Node) and node.meta["val"].dtype == torch.bool


def _is_static(node: Node) -> bool:
    return all(isinstance(size, int) for size in node.meta["val"].shape)


def _whole(graph: fx.Graph, node: Node, mask: Node, size: torch.Size) -> Node | None:
    """Return the values at all places, of which `node` has those of the mask; None where it has others."""
    if kind(node) == "index":
        parts: Any = node.args
        source, indices = parts
        is_same = list(indices) == [mask] and source.meta["val"].shape == size
        return source if is_same else None
    target: Any = node.target
    if not isinstance(target, torch._ops.OpOverload) or torch.Tag.pointwise not in target.tags:
        return None
    wholes: dict[Node, Node] = {}
    for read in node.all_input_nodes:
        if not _is_static(read):
            whole = _whole(graph, read, mask, size)
        else:  # one number, which is the same at all places
            whole = read if read.meta["val"].numel() == 1 and read.meta["val"].ndim == 0 else None
        if whole is None:
            return None
        wholes[read] = whole
    arguments: Any
    named: Any
    arguments, named = map_arg((node.args, node.kwargs), wholes.__getitem__)
    return _call(graph, target, arguments, node, **named)


def _call(graph: fx.Graph, target: Any, arguments: Any, like: Node, **named: Any) -> Node:
    call = graph.call_function(target, tuple(arguments), named)
    fakes: Any
    fake_names: Any
    fakes, fake_names = map_arg((call.args, call.kwargs), lambda node: node.meta["val"])
    with like.meta["val"].fake_mode:
        call.meta = {**like.meta, "val": target(*fakes, **fake_names)}
    return call
