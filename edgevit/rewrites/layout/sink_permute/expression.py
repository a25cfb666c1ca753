"""Expressions that a plan would write into the graph, before anything is written.

Equal reshapes and permutes of one value are one expression: who arranges memory first pays, others read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.rewrites.layout.sink_permute.layout import Layout

aten = torch.ops.aten


@dataclass(frozen=True, eq=False)
class Read:
    """A value of the graph, unchanged."""

    node: Node
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Held:
    """A constant of the graph, changed at compile time."""

    node: Node
    shape: tuple[int, ...]
    change: Callable[[torch.Tensor], torch.Tensor] | None = None


@dataclass(frozen=True, eq=False)
class Call:
    at: Node  # the call of the graph that needs it
    target: Any
    args: tuple[Any, ...]  # expressions, and plain arguments
    kwargs: Mapping[str, Any]
    shape: tuple[int, ...]
    is_turn: bool = False  # a permute that no product absorbs


Expression = Read | Held | Call


@dataclass(frozen=True, eq=False)
class Laid:
    """A value and its layout. `layout` is None for calls with several results."""

    source: Expression
    layout: Layout | None

    @property
    def known(self) -> Layout:
        assert self.layout is not None
        return self.layout


@dataclass(frozen=True)
class Workshop:
    """Factory that makes each expression once."""

    _made: dict[tuple[Any, ...], Call] = field(default_factory=dict)

    def reshaped(self, source: Expression, shape: Sequence[int], at: Node) -> Expression:
        wanted = tuple(shape)
        if source.shape == wanted:
            return source
        if isinstance(source, Held):
            return reshaped(source, wanted)
        if isinstance(source, Call) and source.target is aten.reshape.default:
            return self.reshaped(source.args[0], wanted, source.at)
        key = ("reshape", id(source), wanted)
        if key not in self._made:
            self._made[key] = Call(at, aten.reshape.default, (source, list(wanted)), {}, wanted)
        return self._made[key]

    def permuted(
        self, source: Expression, shape: Sequence[int], turn: Sequence[int], at: Node
    ) -> Expression:
        """Permute the value, taken in `shape`."""
        wanted = tuple(shape[axis] for axis in turn)
        if isinstance(source, Held):
            sizes, axes = list(shape), list(turn)
            return changed(source, lambda held: held.reshape(sizes).permute(axes), wanted)
        key = self._key(source, shape, turn)
        if key not in self._made:
            args = (self.reshaped(source, shape, at), list(turn))
            self._made[key] = Call(at, aten.permute.default, args, {}, wanted, is_turn=True)
        return self._made[key]

    def has(self, source: Expression, shape: Sequence[int], turn: Sequence[int]) -> bool:
        return isinstance(source, Held) or self._key(source, shape, turn) in self._made

    def swapped(self, source: Expression, at: Node) -> Expression:
        """Swap the last two axes, for a product that absorbs the swap."""
        axes = [*range(len(source.shape) - 2), len(source.shape) - 1, len(source.shape) - 2]
        if isinstance(source, Held):
            return self.permuted(source, source.shape, axes, at)
        key = ("swap", id(source))
        if key not in self._made:
            wanted = tuple(source.shape[axis] for axis in axes)
            self._made[key] = Call(at, aten.permute.default, (source, axes), {}, wanted)
        return self._made[key]

    @staticmethod
    def _key(source: Expression, shape: Sequence[int], turn: Sequence[int]) -> tuple[Any, ...]:
        if isinstance(source, Call) and source.target is aten.reshape.default:
            source = source.args[0]
        return "permute", id(source), tuple(shape), tuple(turn)


def changed(
    held: Held, change: Callable[[torch.Tensor], torch.Tensor], shape: Sequence[int]
) -> Held:
    before = held.change
    both = change if before is None else lambda tensor: change(before(tensor))
    return Held(held.node, tuple(shape), both)


def reshaped(held: Held, shape: Sequence[int]) -> Held:
    wanted = tuple(shape)
    return held if held.shape == wanted else changed(held, lambda was: was.reshape(wanted), wanted)


def sources(call: Call) -> Iterator[Expression]:
    """Yield the expressions that a call reads."""
    stack = [*call.args, *call.kwargs.values()]
    while stack:
        one = stack.pop()
        if isinstance(one, list | tuple):
            stack += one
        elif isinstance(one, Read | Held | Call):
            yield one


def reachable(results: Sequence[Expression]) -> list[Expression]:
    """List all expressions behind the results, each before its readers."""
    ordered: list[Expression] = []
    seen: set[int] = set()
    stack: list[tuple[Expression, bool]] = [(one, False) for one in reversed(results)]
    while stack:
        one, is_read = stack.pop()
        if is_read:
            ordered.append(one)
        elif id(one) not in seen:
            seen.add(id(one))
            stack.append((one, True))
            if isinstance(one, Call):
                stack += [(source, False) for source in sources(one)]
    return ordered
