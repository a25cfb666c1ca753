"""Constant folding of calls on constants alone.

    f(constant, ...)   ->   constant

The same kernel runs now that would have run later, so the values are the same. A constant that would be
much larger than what it is made of (an expanded mask) is left to the device; one that a constant index picks from a table (a bias of
positions) is not, as there are devices that cannot pick.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, mapped_arguments, run_call
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import has_tensor, value
from edgevit.rewrites.rule import SAME_VALUES, Match, Refused, Rule

_RANDOM = frozenset({"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "bernoulli", "multinomial",
                     "normal", "uniform", "empty", "empty_like", "empty_strided", "new_empty"})  # fmt: skip
# A weight that training has rounded has a scale, which its numbers alone do not tell.
_ROUNDED = frozenset(
    {
        "quantize_per_channel",
        "quantize_per_tensor",
        "dequantize_per_channel",
        "dequantize_per_tensor",
    }
)
_MAY_GROW = 1 << 16  # elements; a small constant may always be made
_MAY_BE_PICKED = 1 << 24
_PICKS = frozenset({"index", "index_select", "gather", "embedding", "take"})


class FoldConstants(Rule[Match]):
    name: ClassVar[str] = "fold-constants"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if node.op != "call_function" or kind(node) in _RANDOM | _ROUNDED or not has_tensor(node):
            return None
        if not all(_is_known(source, draft) for source in node.all_input_nodes):
            return None
        return Match(node)

    def check(self, match: Match, draft: Draft) -> None:
        after, before = (
            value(match.node).numel(),
            sum(_elements(n) for n in match.node.all_input_nodes),
        )
        least = _MAY_BE_PICKED if kind(match.node) in _PICKS else _MAY_GROW
        if after > max(least, 4 * before):
            raise Refused(f"the constant would grow from {before:,} to {after:,} elements")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        return edit.constant(computed(match.node, edit.draft), "constant")


def _is_known(node: Node, draft: Draft) -> bool:
    """Check for a constant, or one part of a tuple made of constants (`split`, `unbind`)."""
    if draft.is_constant(node):
        return True
    return not has_tensor(node) and all(_is_known(n, draft) for n in node.all_input_nodes)


def _elements(node: Node) -> int:
    return value(node).numel() if has_tensor(node) else sum(map(_elements, node.all_input_nodes))


def is_computable(node: Node, draft: Draft) -> bool:
    """Check for a constant, or calls that read nothing but constants and draw no random numbers."""
    waiting, seen = [node], {node}
    while waiting:
        one = waiting.pop()
        if draft.is_constant(one):
            continue
        if one.op != "call_function" or kind(one) in _RANDOM | _ROUNDED:
            return False
        waiting += [read for read in one.all_input_nodes if read not in seen]
        seen.update(one.all_input_nodes)
    return True


def computed(node: Node, draft: Draft) -> torch.Tensor:
    """Compute a value of constants alone."""
    if draft.is_constant(node):
        return draft.tensor(node)

    def read(source: Node) -> torch.Tensor:
        return computed(source, draft)

    args, kwargs = mapped_arguments(node, read)
    with torch.no_grad():
        return run_call(node, *args, **kwargs)
