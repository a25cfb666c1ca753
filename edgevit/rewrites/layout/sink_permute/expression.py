"""Expressions that a plan would write into the graph, before anything is written.

Equal reshapes and permutes of one value are one expression: who arranges memory first pays, others read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.rewrites.layout.sink_permute.axis_layout import AxisLayout

aten = torch.ops.aten


@dataclass(frozen=True, eq=False)
class GraphValue:
    """A value of the graph, unchanged."""

    node: Node
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class FoldedConstant:
    """A constant of the graph, changed at compile time."""

    node: Node
    shape: tuple[int, ...]
    change: Callable[[torch.Tensor], torch.Tensor] | None = None


@dataclass(frozen=True, eq=False)
class NewCall:
    at: Node  # the call of the graph that needs it
    target: Any
    args: tuple[Any, ...]  # expressions, and plain arguments
    kwargs: Mapping[str, Any]
    shape: tuple[int, ...]
    is_permute: bool = False  # a permute that no product absorbs


Expression = GraphValue | FoldedConstant | NewCall


@dataclass(frozen=True, eq=False)
class Laid:
    """A value and its layout. `layout` is None for calls with several results."""

    source: Expression
    maybe_layout: AxisLayout | None

    @property
    def layout(self) -> AxisLayout:
        assert self.maybe_layout is not None
        return self.maybe_layout


@dataclass(frozen=True)
class Workshop:
    """Factory that makes each expression once."""

    _calls: dict[tuple[Any, ...], NewCall] = field(default_factory=dict[tuple[Any, ...], "NewCall"])

    def reshaped(self, source: Expression, shape: Sequence[int], at: Node) -> Expression:
        sizes = tuple(shape)
        if source.shape == sizes:
            return source
        if isinstance(source, FoldedConstant):
            return reshaped(source, sizes)
        if isinstance(source, NewCall) and source.target is aten.reshape.default:
            return self.reshaped(source.args[0], sizes, source.at)
        key = ("reshape", id(source), sizes)
        if key not in self._calls:
            self._calls[key] = NewCall(at, aten.reshape.default, (source, list(sizes)), {}, sizes)
        return self._calls[key]

    def permuted(
        self, source: Expression, shape: Sequence[int], permutation: Sequence[int], at: Node
    ) -> Expression:
        """Permute the value, taken in `shape`."""
        permuted_shape = tuple(shape[axis] for axis in permutation)
        if isinstance(source, FoldedConstant):
            sizes, axes = list(shape), list(permutation)
            return changed(
                source, lambda tensor: tensor.reshape(sizes).permute(axes), permuted_shape
            )
        key = self._key(source, shape, permutation)
        if key not in self._calls:
            args = (self.reshaped(source, shape, at), list(permutation))
            self._calls[key] = NewCall(
                at, aten.permute.default, args, {}, permuted_shape, is_permute=True
            )
        return self._calls[key]

    def has(self, source: Expression, shape: Sequence[int], permutation: Sequence[int]) -> bool:
        return (
            isinstance(source, FoldedConstant)
            or self._key(source, shape, permutation) in self._calls
        )

    def swapped(self, source: Expression, at: Node) -> Expression:
        """Swap the last two axes, for a product that absorbs the swap."""
        axes = [*range(len(source.shape) - 2), len(source.shape) - 1, len(source.shape) - 2]
        if isinstance(source, FoldedConstant):
            return self.permuted(source, source.shape, axes, at)
        key = ("swap", id(source))
        if key not in self._calls:
            sizes = tuple(source.shape[axis] for axis in axes)
            self._calls[key] = NewCall(at, aten.permute.default, (source, axes), {}, sizes)
        return self._calls[key]

    @staticmethod
    def _key(
        source: Expression, shape: Sequence[int], permutation: Sequence[int]
    ) -> tuple[Any, ...]:
        if isinstance(source, NewCall) and source.target is aten.reshape.default:
            source = source.args[0]
        return "permute", id(source), tuple(shape), tuple(permutation)


def changed(
    constant: FoldedConstant, change: Callable[[torch.Tensor], torch.Tensor], shape: Sequence[int]
) -> FoldedConstant:
    before = constant.change

    def both(tensor: torch.Tensor) -> torch.Tensor:
        return change(tensor if before is None else before(tensor))

    return FoldedConstant(constant.node, tuple(shape), both)


def reshaped(constant: FoldedConstant, shape: Sequence[int]) -> FoldedConstant:
    sizes = tuple(shape)
    return (
        constant
        if constant.shape == sizes
        else changed(constant, lambda was: was.reshape(sizes), sizes)
    )


def sources(call: NewCall) -> Iterator[Expression]:
    """Yield the expressions that a call reads."""
    stack = [*call.args, *call.kwargs.values()]
    while stack:
        one = stack.pop()
        if isinstance(one, list | tuple):
            stack += one
        elif isinstance(one, GraphValue | FoldedConstant | NewCall):
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
            if isinstance(one, NewCall):
                stack += [(source, False) for source in sources(one)]
    return ordered
