"""Kernel card: what a C function computes, where it is, and the calls that an operation becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from edgevit.integer import Op


@dataclass(frozen=True)
class Input:
    """Operand `index` of the operation, from a byte on; each repetition is `step` bytes further."""

    index: int = 0
    offset: int = 0
    step: int = 0


@dataclass(frozen=True)
class Output:
    offset: int = 0
    step: int = 0


@dataclass(frozen=True)
class Scratch:
    offset: int = 0


@dataclass(frozen=True)
class FirstRow:
    """First output row, of an image, that a call computes."""


@dataclass(frozen=True)
class RowCount:
    """Output rows, of an image, that a call computes, where each call may compute another count."""


Argument = Input | Output | Scratch | FirstRow | RowCount | int
Field = int | np.ndarray | Mapping[str, Any] | tuple[int, ...]  # an array goes to flash


@dataclass(frozen=True)
class KernelCall:
    """Call `function(&parameters, arguments...)`, with the parameters a constant `struct`."""

    function: str
    struct: str
    fields: Mapping[str, Field]
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Steps:
    """Calls in order, all of them `repeat` times."""

    calls: tuple[KernelCall, ...]
    repeat: int = 1


@dataclass(frozen=True)
class Tile:
    """Rows of an operation that one call computes, and the image rows that are in memory.

    `in_ring` and `out_ring` are the rows in which the read and the written images are kept.
    """

    rows: int  # positions; image rows, where there is a window; 0: as many as each call is told to
    in_ring: int = 0
    out_ring: int = 0


def whole(op: Op) -> Tile:
    """Return the tile of a whole operation, with nothing in rings."""
    height = op.output.shape[0]
    if hasattr(op, "window"):
        return Tile(height, op.source.shape[0], height)
    return Tile(op.output.rows)


def _always(_: Any) -> bool:
    return True


def _no_scratch(_: Any) -> int:
    return 0


@cache
def rows_cost(row_costs: tuple[float, ...], rows: int) -> float:
    """Return the cost of rows done in the cheapest numbers at a time."""
    if rows == 0:
        return 0.0
    whole, rest = divmod(rows, len(row_costs))
    if whole > 1:
        most = len(row_costs)
        return (whole - 1) * most * row_costs[-1] + rows_cost(row_costs, most + rest)
    return min(
        count * cost + rows_cost(row_costs, rows - count)
        for count, cost in enumerate(row_costs[:rows], 1)
    )


@dataclass(frozen=True)
class Card:
    """Card of a kernel; its calls are built from the operation and the tile.

    A call has the weights packed as the function reads them, sizes and strides.
    """

    function: str
    op: type[Op]
    family: str  # plain, dsp or mve
    sources: tuple[str, ...]  # below kernels/
    steps: Callable[[Any, Tile], Steps]
    scratch: Callable[[Any], int] = _no_scratch  # bytes
    takes: Callable[[Any], bool] = _always
    in_place: bool = False  # the output may lie where the first input does
    row_costs: tuple[float, ...] = (1.0,)  # of a row where 1, 2, ... rows are done at a time
    wider: Card | None = None  # one with more rows at a time, and more scratch


Cards = Mapping[str, Card]  # by operation


def row_card(
    family: str,
    name: str,
    op: type[Op],
    folder: str,
    steps: Callable[[Any, Tile, str], Steps],
    *,
    takes: Callable[[Any], bool] = _always,
    scratch: Callable[[Any], int] = _no_scratch,
    in_place: bool = False,
) -> Card:
    """Return the card of a function in a file of its own, under the name common to all families."""
    function = _named(f"ev_{name}", family)
    return Card(
        function,
        op,
        family,
        (f"{folder}/{function}.c",),
        lambda o, tile: steps(o, tile, function),
        scratch,
        takes,
        in_place,
    )


def of_family(card: Card, family: str) -> Card:
    """Return a card with the same calls of another family's copy of the function.

    The copy lies beside the function.
    """
    function = _named(card.function, family)
    source, *more = card.sources

    def renamed(call: KernelCall) -> KernelCall:
        return replace(call, function=function) if call.function == card.function else call

    def steps(op: Op, tile: Tile) -> Steps:
        family_steps = card.steps(op, tile)
        return replace(family_steps, calls=tuple(map(renamed, family_steps.calls)))

    sources = (source.replace(card.function, function), *more)
    return replace(card, function=function, family=family, sources=sources, steps=steps)


def _named(function: str, family: str) -> str:
    return function if family == "plain" else f"{function}_{family}"
