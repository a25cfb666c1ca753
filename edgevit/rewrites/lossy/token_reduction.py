"""Way to reduce the tokens behind an attention: an interface, and the calls that all share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch.fx.node import Node

from edgevit.graph.edit import Edit
from edgevit.graph.program import shape

aten = torch.ops.aten


@dataclass(frozen=True)
class Place:
    """Residual stream behind an attention, as it is after the reductions before."""

    attention: Node
    queries: Node
    keys: Node  # batch x heads x tokens x channels
    stream: Node  # batch x tokens x channels
    size: Node | None  # how many of the first tokens each stands for; None: one
    prefix: int  # tokens at the front that must stay


class Reduction(Protocol):
    name: ClassVar[str]
    adds: ClassVar[int]  # tokens that the first one puts in the place of those that go

    def candidates(self, place: Place) -> int:
        """Return how many tokens a share is of."""
        ...

    def most(self, place: Place) -> int: ...

    def reduced(self, place: Place, count: int, edit: Edit) -> tuple[Node, Node]:
        """Return the stream with `count` tokens less, and their sizes: batch x tokens x 1.

        Raises `Refused`.
        """
        ...


def one_hot(picked: Node, places: range, dtype: torch.dtype, edit: Edit) -> Node:
    """Return a row for each picked one (the last axis), 1 where `places` has its number."""
    batch, *_, count = shape(picked)
    column = edit.call(aten.reshape.default, picked, [batch, count, 1])
    every = edit.constant(torch.tensor(places).reshape(1, 1, -1), "places")
    return edit.call(aten.to.dtype, edit.call(aten.eq.Tensor, column, every), dtype)


def cut(source: Node, axis: int, start: int, end: int, edit: Edit) -> Node:
    if (start, end) == (0, shape(source)[axis]):
        return source
    return edit.call(aten.slice.Tensor, source, axis, start, end)
