"""Recurrent layers and their cells, by their steps: linear layers and functions.

    lstm   i, f, g, o = W x + U h      c = sigmoid(f) c + sigmoid(i) tanh(g)     h = sigmoid(o) tanh(c)
    gru    r, z of W x + U h           n = tanh(Wn x + sigmoid(r) Un h)          h = n + sigmoid(z) (h - n)
    rnn    h = tanh(W x + U h)         or relu

Products with the inputs of all steps are one linear layer. Each step adds about ten calls: a layer of many steps is
better written as one step whose state is kept between calls. Sums are in another order than torch's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, op, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_MOST = 64  # steps of all layers

States = tuple[Node, ...]
Step = Callable[[Edit, Node, Node, States], States]  # W x, U h, states -> states, the result first


def _chunks(edit: Edit, node: Node, count: int) -> list[Node]:
    width = shape(node)[1] // count
    return [edit.call(aten.slice.Tensor, node, 1, k * width, (k + 1) * width) for k in range(count)]


def _lstm(edit: Edit, x: Node, h: Node, states: States) -> States:
    i, f, g, o = _chunks(edit, edit.call(aten.add.Tensor, x, h), 4)
    i, f, o = (edit.call(aten.sigmoid.default, gate) for gate in (i, f, o))
    old = edit.call(aten.mul.Tensor, f, states[1])
    new = edit.call(aten.mul.Tensor, i, edit.call(aten.tanh.default, g))
    c = edit.call(aten.add.Tensor, old, new)
    return edit.call(aten.mul.Tensor, o, edit.call(aten.tanh.default, c)), c


def _gru(edit: Edit, x: Node, h: Node, states: States) -> States:
    (xr, xz, xn), (hr, hz, hn) = _chunks(edit, x, 3), _chunks(edit, h, 3)
    r, z = (
        edit.call(aten.sigmoid.default, edit.call(aten.add.Tensor, a, b))
        for a, b in ((xr, hr), (xz, hz))
    )
    reset = edit.call(aten.mul.Tensor, r, hn)
    n = edit.call(aten.tanh.default, edit.call(aten.add.Tensor, xn, reset))
    old = edit.call(aten.mul.Tensor, z, edit.call(aten.sub.Tensor, states[0], n))
    return (edit.call(aten.add.Tensor, n, old),)


def _rnn(function: Any) -> Step:
    def step(edit: Edit, x: Node, h: Node, states: States) -> States:
        return (edit.call(function, edit.call(aten.add.Tensor, x, h)),)

    return step


_STEPS: dict[str, Step] = {
    "lstm": _lstm,
    "gru": _gru,
    "rnn_tanh": _rnn(aten.tanh.default),
    "rnn_relu": _rnn(aten.relu.default),
}
_LAYERS = {f"{name}.input": step for name, step in _STEPS.items()}
_CELLS = {f"{name}_cell": step for name, step in _STEPS.items()}


@dataclass(frozen=True)
class Recurrence(Match):
    """A call, and the first of its results that are read, or the call itself where it has one."""

    called: Node


class ExpandRecurrent(Rule[Recurrence]):
    name: ClassVar[str] = "expand-recurrent"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Recurrence | None:
        source = node.args[0] if kind(node) == "getitem" else node
        if not isinstance(source, Node) or op(source) not in _LAYERS | _CELLS:
            return None
        one = isinstance(source.meta["val"], torch.Tensor)
        return Recurrence(node, source) if one or source is not node else None

    def check(self, match: Recurrence, draft: Draft) -> None:
        called = match.called
        if op(called) in _CELLS:
            return
        if len(shape(operand(called))) != 3:
            raise Refused("its rows have no batch")
        ways = 2 if argument(called, "bidirectional") else 1
        count = _count(called) * ways * int(argument(called, "num_layers"))
        if count > _MOST:
            raise Refused(f"it has {count} steps, more than {_MOST}: write one, with its state as an input and an output")  # fmt: skip

    def rewrite(self, match: Recurrence, edit: Edit) -> Node:
        called = match.called
        results = (_cell if op(called) in _CELLS else _layers)(called, edit)
        if match.node is called:
            return results[0]
        for other in [user for user in called.users if user is not match.node]:
            edit.replace(other, results[_place(other)])
        return results[_place(match.node)]

    def replaces(self, match: Recurrence) -> tuple[Node, ...]:
        return tuple(dict.fromkeys((match.called, match.node)))


def _place(part: Node) -> int:
    place = part.args[1]
    assert isinstance(place, int)
    return place


def _count(called: Node) -> int:
    return shape(operand(called))[1 if argument(called, "batch_first") else 0]


def _first(called: Node) -> States:
    states: Any = called.args[1]
    return (states,) if isinstance(states, Node) else tuple(states)


def _cell(called: Node, edit: Edit) -> States:
    states, (w, u) = _first(called), called.args[2:4]
    b, c = (argument(called, name) if has_argument(called, name) else None for name in ("b_ih", "b_hh"))  # fmt: skip
    x = edit.call(aten.linear.default, operand(called), w, b)
    h = edit.call(aten.linear.default, states[0], u, c)
    return _CELLS[op(called)](edit, x, h, states)


def _layers(called: Node, edit: Edit) -> States:
    parameters: Sequence[Node] = argument(called, "params")
    ways = 2 if argument(called, "bidirectional") else 1
    each = 4 if argument(called, "has_biases") else 2
    first, last, x = _first(called), list[States](), operand(called)
    for layer in range(argument(called, "num_layers")):
        rows: list[Node] = []
        for place in range(layer * ways, (layer + 1) * ways):
            states = tuple(edit.call(aten.select.int, state, 0, place) for state in first)
            own = parameters[each * place : each * (place + 1)]
            states, row = _way(called, edit, x, states, own, reverse=place % ways == 1)
            last.append(states)
            rows.append(row)
        x = edit.call(aten.cat.default, rows, 2) if ways > 1 else rows[0]
    stacked = (edit.call(aten.stack.default, [one[k] for one in last]) for k in range(len(first)))
    return x, *stacked


def _way(
    called: Node, edit: Edit, x: Node, states: States, parameters: Sequence[Node], reverse: bool
) -> tuple[States, Node]:
    """Return the last states and the results of all steps, the last step first where it is reversed."""
    w, u, *biases = parameters
    b, c = biases or (None, None)
    axis = 1 if argument(called, "batch_first") else 0
    read, results = edit.call(aten.linear.default, x, w, b), list[Node]()
    for place in sorted(range(_count(called)), reverse=reverse):
        row = edit.call(aten.select.int, read, axis, place)
        hidden = edit.call(aten.linear.default, states[0], u, c)
        states = _LAYERS[op(called)](edit, row, hidden, states)
        results.append(states[0])
    return states, edit.call(aten.stack.default, results[::-1] if reverse else results, axis)
