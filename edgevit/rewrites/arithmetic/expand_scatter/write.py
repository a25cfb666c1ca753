"""Indexed write along one axis, parsed from any of the calls that express it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, kind, op, operand
from edgevit.graph.edit import Draft
from edgevit.graph.program import shape, value
from edgevit.graph.tensors import broadcast
from edgevit.rewrites.arithmetic.flatten_puts import may_be_negative
from edgevit.rewrites.rule import Refused, made_by_rule

_NAMES = {
    "add": "sum",
    "multiply": "prod",
}  # reductions of `scatter` -> their names in `scatter_reduce`
SCATTERS = frozenset({"scatter_add", "scatter_reduce", "scatter", "index_add", "index_copy"})


@dataclass(frozen=True)
class Write:
    """Indexed write `reduce(into[places of the source], source)` along `axis`.

    The axes before and behind it are one axis each.
    """

    into: tuple[int, int, int]
    source: Node | float
    index: Node
    index_sizes: tuple[int, int, int]  # 1 before or behind where the places are the same all along
    places: torch.Tensor | None  # the index in these sizes, where it is a constant
    reduce: str  # "set", "sum", "mean", "amax", "amin", "prod"
    with_own: bool  # the old value is included

    @property
    def count(self) -> int:
        return self.index_sizes[1]


def read(node: Node, draft: Draft) -> Write | None:
    """Parse a write; raise `Refused` for one that has no such form."""
    if kind(node) in SCATTERS:
        return _scatter(node, draft)
    return _put(node, draft) if kind(node) == "index_put" else None


def _scatter(node: Node, draft: Draft) -> Write:
    rank = len(shape(node))
    if rank == 0:
        raise Refused("it writes into a single number")
    axis = integer(node, "dim") % rank
    index = argument(node, "index")
    whole = kind(node) in {"scatter_add", "scatter_reduce", "scatter"}
    other_sizes = [n for at, n in enumerate(shape(node)) if at != axis]
    if whole and [n for at, n in enumerate(shape(index)) if at != axis] != other_sizes:
        raise Refused("it writes a part of the other axes")
    source = _source(node)
    if isinstance(source, Node) and whole and shape(source) != shape(index):
        raise Refused("its source is larger than its index")
    if kind(node) == "index_add" and argument(node, "alpha") != 1:
        raise Refused("it scales what it adds")
    sizes = _sizes(shape(node), axis)
    index_sizes = (1, prod(shape(index)), 1)
    places = _constant_places(index, index_sizes, draft)
    if whole:
        index, index_sizes, places = _narrowed(index, axis, draft)
    if places is not None:
        places = _wrapped(places, sizes[1])
    reduce, with_own = _reduction(node)
    return Write(sizes, source, index, index_sizes, places, reduce, with_own)


def _constant_places(index: Node, sizes: tuple[int, int, int], draft: Draft) -> torch.Tensor | None:
    return draft.tensor(index).reshape(sizes) if draft.is_constant(index) else None


def _source(node: Node) -> Node | float:
    name = "value" if op(node).startswith("scatter.value") else "src"
    if kind(node).startswith("index_"):
        name = "source"
    return argument(node, name)


def _reduction(node: Node) -> tuple[str, bool]:
    name = op(node)
    if name.startswith("scatter_reduce"):
        return argument(node, "reduce"), argument(node, "include_self")
    if name in {"scatter.reduce", "scatter.value_reduce"}:
        return _NAMES[argument(node, "reduce")], True
    return ("sum", True) if name in {"scatter_add", "index_add"} else ("set", False)


def _sizes(sizes: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    return prod(sizes[:axis]), sizes[axis], prod(sizes[axis + 1 :])


def _narrowed(
    index: Node, axis: int, draft: Draft
) -> tuple[Node, tuple[int, int, int], torch.Tensor | None]:
    """Return the index without repetition before or behind the axis."""
    sizes = _sizes(shape(index), axis)
    whole = _constant_places(index, sizes, draft)
    if whole is not None:
        if whole.numel() and bool((whole == whole[:, :, :1]).all()):
            whole = whole[:, :, :1]
        if whole.numel() and bool((whole == whole[:1]).all()):
            whole = whole[:1]
        before, count, behind = whole.shape
        return index, (before, count, behind), whole
    if kind(index) in {"expand", "repeat"}:
        own = [1] * (len(shape(index)) - len(shape(operand(index)))) + [*shape(operand(index))]
        narrow = _sizes(tuple(own), axis)
        if narrow[1] == sizes[1] and all(n in {1, m} for n, m in zip(narrow, sizes, strict=True)):
            return operand(index), narrow, _constant_places(operand(index), narrow, draft)
    return index, sizes, None


def _wrapped(places: torch.Tensor, count: int) -> torch.Tensor:
    return torch.where(places < 0, places + count, places)


def _put(node: Node, draft: Draft) -> Write:
    """Parse `index_put`.

    Neighbouring axes that are indexed together are one axis, and their places one place.
    """
    into = operand(node)
    indices: list[Node | None] = list(argument(node, "indices"))
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    tensors: list[Any] = [indices[axis] for axis in axes]
    if not axes or axes != list(range(axes[0], axes[-1] + 1)):
        raise Refused("it indexes axes apart from each other")
    computed = [index for index in tensors if not draft.is_constant(index)]
    if computed and (len(tensors) > 1 or not _counts_from_start(node, tensors[0], draft)):
        raise Refused("it writes at places that are computed")
    if any(value(index).dtype == torch.bool for index in tensors):
        raise Refused("it writes through a mask")
    first, behind = axes[0], axes[-1] + 1
    extents = shape(into)[first:behind]
    sizes = (prod(shape(into)[:first]), prod(extents), prod(shape(into)[behind:]))
    adds = argument(node, "accumulate")
    how = ("sum" if adds else "set", adds)
    if computed:
        return Write(sizes, argument(node, "values"), computed[0], (1, prod(shape(computed[0])), 1), None, *how)  # fmt: skip
    flat = torch.zeros((), dtype=torch.int64)
    for index, extent in zip(tensors, extents, strict=True):
        flat = flat * extent + _wrapped(draft.tensor(index), extent)
    places = flat.reshape(1, -1, 1)
    return Write(sizes, argument(node, "values"), tensors[0], (1, places.numel(), 1), places, *how)  # fmt: skip


def _counts_from_start(node: Node, index: Node, draft: Draft) -> bool:
    return made_by_rule(node, "flatten-puts") or not may_be_negative(index, draft)


def values_shape(node: Node, draft: Draft) -> list[int]:
    """Return the shape that the values of an `index_put` are broadcast to."""
    indices = list(argument(node, "indices"))
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    index_shape = broadcast(*(shape(indices[axis]) for axis in axes))
    sizes = shape(operand(node))
    return [*sizes[: axes[0]], *index_shape, *sizes[axes[-1] + 1 :]]
