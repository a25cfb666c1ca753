"""Cards of the operations that only move bytes: all of them are copies along strided axes by one kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, product
from typing import Any, TypeVar

from edgevit.backends.mcu.kernels.card import (
    Card,
    Field,
    Input,
    KernelCall,
    Output,
    Steps,
    Tile,
)
from edgevit.integer import MOST, SIZES, Value
from edgevit.integer.ops.moves import Concat, Pad, Permute, Slice, Upsample

_AXES = 4
P = TypeVar("P", Input, Output)
Axis = tuple[int, int, int]  # size, then bytes from one to the next in x and in y


def steps_of(shape: Sequence[int], dtype: str) -> list[int]:
    """Return the byte stride along each axis."""
    sizes = [SIZES[dtype], *reversed(shape[1:])]
    return list(accumulate(sizes, lambda a, b: a * b))[::-1]


def _shape(value: Value, axis: int, tile: Tile) -> tuple[int, ...]:
    """Return the shape that one call works on: along channels, that is the rows of the tile."""
    last = axis == len(value.shape) - 1
    return (tile.rows, value.shape[-1]) if last else value.shape


def moves(x: Input, y: Output, axes: Sequence[Axis], width: int) -> tuple[KernelCall, ...]:
    """Return the copies along strided axes, with axes merged that are contiguous in x and in y.

    More axes than the kernel takes become several copies.
    """
    merged = _merged([axis for axis in axes if axis[0] > 1])
    if len(merged) > _AXES:
        apart = min(merged)
        rest = [axis for axis in merged if axis is not apart]
        size, x_step, y_step = apart
        return tuple(
            call
            for i in range(size)
            for call in moves(_on(x, i * x_step), _on(y, i * y_step), rest, width)
        )
    for place, (size, x_step, y_step) in enumerate(merged):
        if size > MOST:
            first, rest = list(merged), list(merged)
            first[place], rest[place] = (MOST, x_step, y_step), (size - MOST, x_step, y_step)
            further = _on(x, MOST * x_step), _on(y, MOST * y_step)
            return (*moves(x, y, first, width), *moves(*further, rest, width))
    padded = [(1, 0, 0)] * (_AXES - len(merged)) + merged
    sizes, x_steps, y_steps = zip(*padded, strict=True)
    fields: dict[str, Field] = {
        "sizes": sizes,
        "x_strides": x_steps,
        "y_strides": y_steps,
        "element_bytes": width,
    }
    return (KernelCall("ev_move", "ev_move", fields, (x, y)),)


def _on(place: P, more: int) -> P:
    return replace(place, offset=place.offset + more)


def _merged(axes: Sequence[Axis]) -> list[Axis]:
    merged: list[Axis] = []
    for size, x_step, y_step in axes:
        if merged and merged[-1][1:] == (size * x_step, size * y_step) and merged[-1][0] * size <= MOST:  # fmt: skip
            size *= merged.pop()[0]
        merged.append((size, x_step, y_step))
    return merged


def _axis(op: Slice | Concat, rank: int) -> int:
    """Return the operation's axis in the shape that one call works on."""
    return rank - 1 if op.axis == len(op.output.shape) - 1 else op.axis


def _permute(op: Permute, _: Tile) -> Steps:
    dtype = op.output.dtype
    x_steps, y_steps = steps_of(op.source.shape, dtype), steps_of(op.output.shape, dtype)
    axes = [(op.output.shape[i], x_steps[a], y_steps[i]) for i, a in enumerate(op.order)]
    return Steps(moves(Input(), Output(), axes, SIZES[dtype]))


def _slice(op: Slice, tile: Tile) -> Steps:
    dtype = op.output.dtype
    x_shape, y_shape = (_shape(value, op.axis, tile) for value in (op.source, op.output))
    steps = steps_of(x_shape, dtype)
    axis = _axis(op, len(x_shape))
    start = op.start * steps[axis]
    steps[axis] *= op.step
    axes = list(zip(y_shape, steps, steps_of(y_shape, dtype), strict=True))
    return Steps(moves(Input(offset=start), Output(), axes, SIZES[dtype]))


def _concat(op: Concat, tile: Tile) -> Steps:
    dtype = op.output.dtype
    y_steps = steps_of(_shape(op.output, op.axis, tile), dtype)
    axis = _axis(op, len(y_steps))
    starts = accumulate((value.shape[op.axis] for value in op.inputs), initial=0)
    calls = []
    for index, (value, start) in enumerate(zip(op.inputs, starts, strict=False)):
        shape = _shape(value, op.axis, tile)
        axes = list(zip(shape, steps_of(shape, dtype), y_steps, strict=True))
        calls += moves(Input(index), Output(start * y_steps[axis]), axes, SIZES[dtype])
    return Steps(tuple(calls))


def _pad(op: Pad, _: Tile) -> Steps:
    """Return the steps that fill the output, then copy the input over its middle."""
    width = SIZES[op.output.dtype]
    y_steps = steps_of(op.output.shape, op.output.dtype)
    start = sum(before * step for (before, _), step in zip(op.sides, y_steps, strict=True))
    x_steps = steps_of(op.source.shape, op.source.dtype)
    axes = list(zip(op.source.shape, x_steps, y_steps, strict=True))
    values: dict[str, Field] = {"value": op.value, "element_bytes": width}
    fill = KernelCall("ev_fill", "ev_fill", values, (Output(), op.output.size))
    return Steps((fill, *moves(Input(), Output(start), axes, width)))


def _upsample(op: Upsample, _: Tile) -> Steps:
    """Return the steps that copy every pixel to each of its output positions."""
    dtype = op.output.dtype
    y_steps = steps_of(op.output.shape, dtype)
    rows, columns = op.factor
    far = [y_steps[0] * rows, y_steps[1] * columns, y_steps[2]]
    axes = list(zip(op.source.shape, steps_of(op.source.shape, dtype), far, strict=True))
    calls = [
        call
        for i, j in product(range(rows), range(columns))
        for call in moves(Input(), Output(i * y_steps[0] + j * y_steps[1]), axes, SIZES[dtype])
    ]
    return Steps(tuple(calls))


def _card(op: type, steps: Callable[[Any, Tile], Steps], *more: str) -> Card:
    return Card("ev_move", op, "plain", ("move/ev_move.c", *more), steps)


MOVES: tuple[Card, ...] = (
    _card(Permute, _permute),
    _card(Slice, _slice),
    _card(Concat, _concat),
    _card(Pad, _pad, "move/ev_fill.c"),
    _card(Upsample, _upsample),
)
