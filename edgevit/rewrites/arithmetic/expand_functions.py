"""Functions that a runtime lacks, or reads as another, in arithmetic that it has; `functions` has the equations.

    trunc(x)   ->   where(x < 0, ceil(x), floor(x))

Sums and products are in another order: hence `rtol`.
"""

from __future__ import annotations

import operator
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, op
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import value
from edgevit.graph.traced import copied, traced
from edgevit.rewrites.arithmetic.bits import BITS, is_of_few_bits
from edgevit.rewrites.arithmetic.functions import FUNCTIONS
from edgevit.rewrites.arithmetic.orders import MOST_COMPARED
from edgevit.rewrites.rule import Match, Refused, Rule

# those of floats are calls of their own
_OF_INTEGERS = frozenset({"abs", "isfinite", "isinf", "isnan"})
_OF_NUMBERS = frozenset({"any", "all"})
_OF_MATRICES = frozenset({"det", "inverse", "linalg_det", "linalg_inv"})
_STABLE = frozenset({"argsort", "sort"})
_SPREADS = frozenset({"std", "var"})
_OF_ALL = frozenset({"argmax", "argmin"})


class ExpandFunctions(Rule[Match]):
    name: ClassVar[str] = "expand-functions"
    rtol: ClassVar[float] = 1e-5

    def __init__(self, *only: str) -> None:
        """Create the rule for the calls of these names, as `op` gives them."""
        assert only and FUNCTIONS.keys() >= set(only), only
        self.only = frozenset(only)

    def match(self, node: Node, draft: Draft) -> Match | None:
        called = _called(node)
        if op(called) not in self.only or not isinstance(node.meta["val"], torch.Tensor):
            return None  # of several results, each is matched by itself
        return Match(node) if is_of_its_form(called) else None

    def check(self, match: Match, draft: Draft) -> None:
        called = _called(match.node)
        if any(value(x).is_complex() for x in called.all_input_nodes):
            raise Refused("its values are complex")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        called = _called(match.node)
        _, result = copied(traced(called, FUNCTIONS[op(called)]), called, edit)
        part = result if called is match.node else result[match.node.args[1]]
        assert isinstance(part, Node)
        return part


def is_of_its_form(node: Node) -> bool:
    """Return whether the definition is meant for this call, and not only for others of its name."""
    if kind(node) in _OF_ALL:
        return argument(node, "dim") is None and value(node.all_input_nodes[0]).ndim > 0
    dtype = value(node.all_input_nodes[0]).dtype
    if dtype.is_complex:
        return False
    if kind(node) in _OF_NUMBERS:
        return dtype != torch.bool
    if kind(node) in _OF_INTEGERS:
        return not dtype.is_floating_point
    if op(node) in BITS:
        return is_of_few_bits(dtype, node.args[1:])
    if kind(node) in _SPREADS:
        return argument(node, "correction") is None
    if kind(node) in _STABLE:
        return (
            not argument(node, "stable")
            or _pairs(value(node.all_input_nodes[0]), node) <= MOST_COMPARED
        )
    if kind(node) in _OF_MATRICES:
        return value(node.all_input_nodes[0]).shape[-1] in {1, 2, 3}
    if kind(node) == "masked_fill":
        return _is_misread_fill(node)
    return not (has_argument(node, "dtype") and argument(node, "dtype") in {torch.float64})


def _pairs(x: torch.Tensor, node: Node) -> int:
    dim: int = argument(node, "dim")
    return x.numel() * x.shape[dim] if x.ndim else 1


def _is_misread_fill(node: Node) -> bool:
    """Return whether a fill has a whole number among floats, or grows the value to the mask's shape."""
    x = value(node.all_input_nodes[0])
    whole = isinstance(argument(node, "value"), int) and x.is_floating_point()
    return whole or x.shape != value(node).shape


def _called(node: Node) -> Node:
    """Return the call, where the node is one of its several results."""
    source = node.args[0] if node.target is operator.getitem else node
    return source if isinstance(source, Node) else node
