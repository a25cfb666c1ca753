"""Tracking of an axis through calls that arrange, cut or join the other axes."""

from __future__ import annotations

from math import prod

from torch.fx.node import Node

from edgevit.graph.aten import argument, integer, kind
from edgevit.graph.program import shape
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.layout.name_views import permutation_of

_PERMUTES = frozenset({"permute", "transpose"})
_PIECES = frozenset({"slice", "select", "narrow", "roll"})


def through(user: Node, node: Node, axis: int) -> int | None:
    """Return the axis of `user` that `axis` of `node`, its first argument, becomes whole and
    in order.
    """
    name = kind(user)
    if not user.args or user.args[0] is not node:
        return None
    if name in _PERMUTES:
        return permutation_of(user).index(axis)
    if name in RESHAPES:
        return _axis_after(shape(node), shape(user), axis)
    if name == "roll":
        rank = len(shape(node))
        moved = argument(user, "dims")
        return axis if moved and axis not in {d % rank for d in moved} else None
    if name in _PIECES:
        cut = integer(user, "dim") % len(shape(node))
        if cut == axis:
            return None
        return axis - 1 if name == "select" and cut < axis else axis
    return None


def _axis_after(before: tuple[int, ...], after: tuple[int, ...], axis: int) -> int | None:
    outer = prod(before[:axis])
    for place, size in enumerate(after):
        if size == before[axis] and prod(after[:place]) == outer:
            return place
    return None
