"""Calls of heads without a form of their own, in calls that have one.

log_softmax(x)          ->   x - max - log(sum(exp(x - max)))
slice_scatter(x, y)     ->   cat(x before, y, x behind)
a & b, of booleans      ->   logical_and(a, b)

Where neither this table nor those of the rules have a definition, torch's own is traced.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, fx
from torch._decomp import decomposition_table
from torch.fx.node import Node

from edgevit.graph.aten import kind, op
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program
from edgevit.graph.traced import calls_of, copied, traced
from edgevit.rewrites import engine
from edgevit.rewrites.arithmetic.composites import COMPOSITES
from edgevit.rewrites.arithmetic.expand_scatter import ExpandScatter
from edgevit.rewrites.arithmetic.functions import FUNCTIONS
from edgevit.rewrites.rule import Match, Rule
from edgevit.snippets.head_forms import FORMS

aten = torch.ops.aten
Definition = Callable[..., Any]
_LONGEST = 64  # calls of one definition


def with_head_forms(head: Program) -> Program:
    """Return the head with calls that have no form in calls that have one, verified as a rewrite is."""
    if all(kind(node) in FORMS for node in head.calls()):
        return head
    return engine.run(head, [ExpandScatter(), ExpandForHead()])[0]


@dataclass(frozen=True)
class Definable(Match):
    graph: fx.GraphModule


class ExpandForHead(Rule[Definable]):
    """Rule for calls without a form whose definition ends in calls with one."""

    name: ClassVar[str] = "expand-for-head"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Definable | None:
        called = node.args[0] if kind(node) == "getitem" else node
        if not isinstance(called, Node) or not isinstance(node.meta.get("val"), Tensor):
            return None  # of several results, each is matched by itself
        graph = _defined(called)
        return Definable(node, graph) if graph is not None else None

    def rewrite(self, match: Definable, edit: Edit) -> Node:
        called = match.node.args[0] if kind(match.node) == "getitem" else match.node
        assert isinstance(called, Node)
        _, result = copied(match.graph, called, edit)
        part = result if called is match.node else result[match.node.args[1]]
        assert isinstance(part, Node)
        return part


def _defined(node: Node) -> fx.GraphModule | None:
    """Return the traced definition of a call without a form."""
    if node.op != "call_function" or kind(node) in FORMS:
        return None
    definition = _definition(node)
    if definition is None:
        return None
    try:
        graph = traced(node, definition)
    except (RuntimeError, TypeError, NotImplementedError):  # not for these arguments
        return None
    calls = calls_of(graph)
    if len(calls) > _LONGEST or any(op(call) == op(node) for call in calls):
        return None
    is_formed = (kind(call) in FORMS or _definition(call) is not None for call in calls)
    return graph if all(is_formed) else None


def _definition(node: Node) -> Definition | None:
    if kind(node) in _BITS:
        return _BITS[kind(node)] if node.meta["val"].dtype == torch.bool else None
    for table in (_OWN, COMPOSITES, FUNCTIONS):
        if op(node) in table:
            return table[op(node)]
    target: Any = node.target
    if target in decomposition_table:
        return decomposition_table[target]
    is_overload = isinstance(target, torch._ops.OpOverload)
    return target.decompose if is_overload and target._can_decompose() else None


def _log_softmax(x: Tensor, dim: int, *_: Any) -> Tensor:
    from_most = x - x.amax(dim, True)
    return from_most - from_most.exp().sum(dim, True).log()


def _copied(x: Tensor, y: Tensor, *_: Any) -> Tensor:
    return y.expand(x.shape).to(x.dtype)


def _slice_scatter(
    x: Tensor,
    y: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    size = x.shape[dim]
    first, last, _ = slice(start, end).indices(size)
    if step != 1:
        raise NotImplementedError
    parts = (x.narrow(dim, 0, first), y, x.narrow(dim, last, size - last))
    return torch.cat([part for part in parts if part.shape[dim]], dim)


def _full_like(x: Tensor, number: Any, *, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    return torch.full(x.shape, number, dtype=dtype or x.dtype)


def _one_hot(x: Tensor, classes: int) -> Tensor:
    if classes < 0:
        raise NotImplementedError
    return (x.unsqueeze(-1) == torch.arange(classes)).to(torch.int64)


def _roll(x: Tensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> Tensor:
    if not dims:
        return _roll(x.reshape(-1), shifts, [0]).reshape(x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        first = -shift % max(x.shape[dim], 1)
        if first:
            x = torch.cat(
                [x.narrow(dim, first, x.shape[dim] - first), x.narrow(dim, 0, first)], dim
            )
    return x


def _padded(x: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    for axis, sides in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        dim = x.ndim - 1 - axis
        low, high = (min(side, 0) for side in sides)
        x = x.narrow(dim, -low, x.shape[dim] + low + high)
        sizes = ([*x.shape[:dim], max(side, 0), *x.shape[dim + 1 :]] for side in sides)
        before, behind = (torch.full(size, value, dtype=x.dtype) for size in sizes)
        x = torch.cat([part for part in (before, x, behind) if part.shape[dim]], dim)
    return x


def _index_put(x: Tensor, indices: Sequence[Any], y: Tensor, accumulate: bool = False) -> Tensor:
    """Return `x[mask] = number` as a choice."""
    mask = indices[0]
    if len(indices) > 1 or mask.dtype != torch.bool or y.numel() != 1 or accumulate:
        raise NotImplementedError
    mask = mask.reshape([*mask.shape, *(1 for _ in range(x.ndim - mask.ndim))])
    return torch.where(mask, y.reshape(()), x)


def _meshgrid(tensors: Sequence[Tensor], *, indexing: str = "ij") -> list[Tensor]:
    if indexing != "ij":
        raise NotImplementedError
    sizes = [tensor.numel() for tensor in tensors]
    along = lambda k: [size if k == axis else 1 for axis, size in enumerate(sizes)]  # noqa: E731
    return [tensor.reshape(along(k)).expand(sizes) for k, tensor in enumerate(tensors)]


_BITS: dict[str, Definition] = {
    "__and__": torch.logical_and,
    "__or__": torch.logical_or,
    "__xor__": lambda x, y: x != y,
    "bitwise_and": torch.logical_and,
    "bitwise_not": torch.logical_not,
    "bitwise_or": torch.logical_or,
    "bitwise_xor": lambda x, y: x != y,
    "logical_xor": lambda x, y: x.to(torch.bool) != y.to(torch.bool),
}
_OWN: dict[str, Definition] = {
    "_log_softmax": _log_softmax,
    "acos": lambda x: torch.atan2(torch.sqrt((1 - x) * (1 + x)), x),
    "all": lambda x: x.to(torch.int64).amin().to(torch.bool),
    "all.dim": lambda x, dim, keep=False: x.to(torch.int64).amin(dim, keep).to(torch.bool),
    "any": lambda x: x.to(torch.int64).amax().to(torch.bool),
    "any.dim": lambda x, dim, keep=False: x.to(torch.int64).amax(dim, keep).to(torch.bool),
    "any.dims": lambda x, dim, keep=False: x.to(torch.int64).amax(dim, keep).to(torch.bool),
    "asin": lambda x: torch.atan2(x, torch.sqrt((1 - x) * (1 + x))),
    "atan": lambda x: torch.atan2(x, torch.ones((), dtype=x.dtype)),
    "constant_pad_nd": _padded,
    "copy": _copied,
    "cosh": lambda x: (torch.exp(x) + torch.exp(-x)) / 2,
    "exp2": lambda x: torch.exp(x * math.log(2)),
    "expm1": lambda x: torch.exp(x) - 1,
    "full_like": _full_like,
    "index_put": _index_put,
    "log10": lambda x: torch.log(x) / math.log(10),
    "log1p": lambda x: torch.log(x + 1),
    "log2": lambda x: torch.log(x) / math.log(2),
    "log_sigmoid": lambda x: x.clamp(max=0) - torch.log(torch.exp(-x.abs()) + 1),
    "meshgrid": _meshgrid,
    "meshgrid.indexing": _meshgrid,
    "one_hot": _one_hot,
    "roll": _roll,
    "scalar_tensor": lambda number, **kwargs: torch.full((), number, dtype=kwargs.get("dtype")),
    "sinh": lambda x: (torch.exp(x) - torch.exp(-x)) / 2,
    "slice_scatter": _slice_scatter,
    "std.correction": lambda x, dim=None, **kwargs: torch.var(x, dim, **kwargs).sqrt(),
    "tan": lambda x: torch.sin(x) / torch.cos(x),
    "var.correction": lambda x, dim=None, *, correction=None, keepdim=False: _variance(x, dim, correction, keepdim),
}  # fmt: skip


def _variance(
    x: Tensor, dim: Sequence[int] | None, correction: float | None, keepdim: bool
) -> Tensor:
    axes = list(dim) if dim else list(range(x.ndim))
    squares = (x - x.mean(axes, True)).square().sum(axes, keepdim)
    count = math.prod(x.shape[axis] for axis in axes)
    return squares / (count - (1 if correction is None else correction))
