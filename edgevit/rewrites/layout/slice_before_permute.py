"""Slices of a permuted value before the permute.

    slice(permute(x, a), axis k)   ->   permute(slice(x, axis a[k]), a)      where slices alone read the permute

The same values. Qualcomm's compiler turns layouts through a permute, and loses slices of 16-bit integers behind it.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, kind, operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

aten = torch.ops.aten


def _is_of_a_permute(node: Node) -> bool:
    source = operand(node)
    return kind(source) == "permute" and all(kind(user) == "slice" for user in source.users)


class SliceBeforePermute(CallRule):
    name: ClassVar[str] = "slice-before-permute"
    rtol: ClassVar[float] = SAME_VALUES
    after: ClassVar[tuple[str, ...]] = ("name-views",)
    pattern: ClassVar[Pattern] = call("slice", where=_is_of_a_permute)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        permute = operand(node)
        permutation = permutation_of(permute)
        axis = permutation[integer(node, "dim") % len(permutation)]
        limits = [argument(node, name) for name in ("start", "end", "step")]
        part = edit.call(aten.slice.Tensor, operand(permute), axis, *limits)
        return edit.call(aten.permute.default, part, permutation)
