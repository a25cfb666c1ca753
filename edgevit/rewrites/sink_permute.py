"""Permutes are pushed through the calls behind them, down to where another turns the value back: then both are gone.

    f(permute(x, t))                  ->   permute(f(x), t)                     f of each value alone
    permute(x, t) + permute(y, t)     ->   permute(x + y, t)                    and - * / min max, and with constants
    linear(permute(x, t), W, b)       ->   permute(conv2d(x, W, b), t)          where t puts the channels last
    layer_norm(permute(x, t), w, b)   ->   permute(d * rsqrt(mean(d * d) + eps) * w + b, t)       d = x - mean(x)
    cat(permute(x, t), ..., axis)     ->   permute(cat(x, ..., t[axis]), t)     and softmax, split, chunk, slice, narrow
    mean(permute(x, t), axes)         ->   mean(x, t[axes])
    permute(permute(x, t), s)         ->   permute(x, t[s])                     and x itself where that is the identity

All that is reached in this way from permutes of one kind is a region. It is rewritten as a whole, and only if fewer
permutes are left than there were. Sums are added in another order: hence `rtol`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.cost import TRANSPOSES
from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.name_views import turn_of
from edgevit.rewrites.rule import Match, Refused, Rule
from edgevit.rewrites.turned_calls import Turn, absorbed, is_absorbed, is_movable, moved, turn_left


@dataclass(frozen=True)
class Region(Match):
    """`node` is the last that is replaced."""

    turn: Turn
    enter: tuple[Node, ...]  # the permutes it begins with
    calls: tuple[Node, ...]  # what they are pushed through
    absorb: tuple[Node, ...]  # readers that take the permute in
    leave: tuple[Node, ...]  # calls that others read as well: a permute is needed behind them

    @property
    def before(self) -> int:
        return len(self.enter) + sum(kind(node) in TRANSPOSES for node in self.absorb)

    @property
    def after(self) -> int:
        inside = {*self.calls, *self.absorb}
        kept = sum(not inside.issuperset(one.users) for one in self.enter)
        lefts = [turn_left(node, self.turn) for node in self.absorb]
        return kept + len(self.leave) + sum(left != sorted(left) for left in lefts)


class SinkPermute(Rule[Region]):
    name: ClassVar[str] = "sink-permute"
    rtol: ClassVar[float] = 1e-5
    after: ClassVar[tuple[str, ...]] = ("fold-norm-affine",)

    def match(self, node: Node, draft: Draft) -> Region | None:
        if kind(node) not in TRANSPOSES or len(turn_of(node)) < 2:
            return None
        return _region(node, draft)

    def check(self, match: Region, draft: Draft) -> None:
        if match.after >= match.before:
            raise Refused(
                f"pushed down as far as it goes, {match.after} permutes are left of {match.before}"
            )

    def rewrite(self, match: Region, edit: Edit) -> Node:
        draft, turn = edit.draft, match.turn
        new = {one: operand(one) for one in match.enter}
        for call in match.calls:
            new[call] = moved(call, turn, new, Edit(draft, self.name, call))
        made: dict[Node, Node] = {}
        for node in match.absorb:
            made[node] = absorbed(node, turn, new, Edit(draft, self.name, node))
        for call in match.leave:
            there = Edit(draft, self.name, call)
            made[call] = there.call(torch.ops.aten.permute.default, new[call], list(turn))
        for old in made:
            if old is not match.node:
                Edit(draft, self.name, old).replace(old, _final(old, made))
        return _final(match.node, made)


def _final(node: Node, made: dict[Node, Node]) -> Node:
    """What takes its place, when that is itself replaced as well."""
    while node in made:
        node = made[node]
    return node


def _region(first: Node, draft: Draft) -> Region | None:
    turn: Turn = tuple(turn_of(first))
    nodes = list(draft.graph.nodes)
    reached = _connected(first, _reachable(first, turn, nodes, draft))
    inside = [node for node in nodes if node in reached]
    enter = tuple(node for node in inside if kind(node) in TRANSPOSES)
    calls = tuple(node for node in inside if kind(node) not in TRANSPOSES)
    readers = {user for node in inside for user in node.users if user not in reached}
    absorb = tuple(node for node in nodes if node in readers and is_absorbed(node, turn))
    taken = {*calls, *absorb}
    leave = tuple(call for call in calls if not taken.issuperset(call.users))
    replaced = {*absorb, *leave}
    if not replaced:
        return None
    last = next(node for node in reversed(nodes) if node in replaced)
    return Region(last, turn, enter, calls, absorb, leave)


def _reachable(first: Node, turn: Turn, nodes: Iterable[Node], draft: Draft) -> set[Node]:
    """All permutes by `turn`, and the calls that they can be pushed through."""
    found: set[Node] = set()
    for node in nodes:
        if kind(node) in TRANSPOSES:
            begins = node is first or operand(node) not in found
            if begins and tuple(turn_of(node)) == turn:
                found.add(node)
        elif is_movable(node, turn, found, draft):
            found.add(node)
    return found


def _connected(first: Node, reachable: set[Node]) -> set[Node]:
    """What of it is one region with `first`: neighbours, over the calls that read both."""
    found, stack = {first}, [first]
    while stack:
        node = stack.pop()
        beside = [user for user in node.users if kind(user) not in TRANSPOSES]
        if node is not first and kind(node) not in TRANSPOSES:
            beside += node.all_input_nodes
        new = {other for other in beside if other in reachable} - found
        found |= new
        stack += new
    return found
