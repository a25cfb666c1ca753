"""Cards of the operations that only move bytes: all of them are copies along strided axes by one kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, product
from typing import Any

from edgevit.backends.mcu.kernels.card import Argument, Call, Card, Field, Input, Output, Steps
from edgevit.integer.graph import SIZES, Malformed, Value
from edgevit.integer.ops.moves import Concat, Pad, Permute, Slice, Upsample

_AXES = 4
Axis = tuple[int, int, int]  # size, then bytes from one to the next in x and in y


def steps_of(value: Value) -> list[int]:
    """Bytes from one to the next along each axis."""
    sizes = [SIZES[value.dtype], *reversed(value.shape[1:])]
    return list(accumulate(sizes, lambda a, b: a * b))[::-1]


def move(x: Argument, y: Argument, axes: Sequence[Axis], width: int) -> Call:
    """Axes that follow on one another, in x and in y, are one."""
    merged = _merged([axis for axis in axes if axis[0] > 1])
    if len(merged) > _AXES:
        raise Malformed(f"a copy along {len(merged)} axes")
    padded = [(1, 0, 0)] * (_AXES - len(merged)) + merged
    sizes, x_steps, y_steps = zip(*padded, strict=True)
    fields: dict[str, Field] = {
        "sizes": sizes,
        "x_steps": x_steps,
        "y_steps": y_steps,
        "width": width,
    }
    return Call("ev_move", "ev_move", fields, (x, y))


def _merged(axes: Sequence[Axis]) -> list[Axis]:
    merged: list[Axis] = []
    for size, x_step, y_step in axes:
        if merged and merged[-1][1:] == (size * x_step, size * y_step) and merged[-1][0] * size < 2**16:  # fmt: skip
            size *= merged.pop()[0]
        merged.append((size, x_step, y_step))
    return merged


def _permute(op: Permute) -> Steps:
    x_steps, y_steps = steps_of(op.source), steps_of(op.output)
    axes = [(op.output.shape[i], x_steps[a], y_steps[i]) for i, a in enumerate(op.order)]
    return Steps((move(Input(), Output(), axes, SIZES[op.output.dtype]),))


def _slice(op: Slice) -> Steps:
    steps = steps_of(op.source)
    start = op.start * steps[op.axis]
    steps[op.axis] *= op.step
    axes = list(zip(op.output.shape, steps, steps_of(op.output), strict=True))
    return Steps((move(Input(offset=start), Output(), axes, SIZES[op.output.dtype]),))


def _concat(op: Concat) -> Steps:
    y_steps, width = steps_of(op.output), SIZES[op.output.dtype]
    starts = accumulate((value.shape[op.axis] for value in op.inputs), initial=0)
    calls = [
        move(
            Input(index),
            Output(start * y_steps[op.axis]),
            list(zip(value.shape, steps_of(value), y_steps, strict=True)),
            width,
        )
        for index, (value, start) in enumerate(zip(op.inputs, starts, strict=False))
    ]
    return Steps(tuple(calls))


def _pad(op: Pad) -> Steps:
    """Filled, then the middle put over it."""
    y_steps, width = steps_of(op.output), SIZES[op.output.dtype]
    start = sum(before * step for (before, _), step in zip(op.sides, y_steps, strict=True))
    axes = list(zip(op.source.shape, steps_of(op.source), y_steps, strict=True))
    fill = Call("ev_fill", "ev_fill", {"value": op.value, "width": width}, (Output(), op.output.size))  # fmt: skip
    return Steps((fill, move(Input(), Output(start), axes, width)))


def _upsample(op: Upsample) -> Steps:
    """Every pixel to each of its places."""
    y_steps = steps_of(op.output)
    rows, columns = op.factor
    far = [y_steps[0] * rows, y_steps[1] * columns, y_steps[2]]
    axes = list(zip(op.source.shape, steps_of(op.source), far, strict=True))
    places = product(range(rows), range(columns))
    calls = [
        move(Input(), Output(i * y_steps[0] + j * y_steps[1]), axes, SIZES[op.output.dtype])
        for i, j in places
    ]
    return Steps(tuple(calls))


def _card(op: type, steps: Callable[[Any], Steps], *more: str) -> Card:
    return Card("ev_move", op, "plain", ("move/ev_move.c", *more), steps)


MOVES: tuple[Card, ...] = (
    _card(Permute, _permute),
    _card(Slice, _slice),
    _card(Concat, _concat),
    _card(Pad, _pad, "move/ev_fill.c"),
    _card(Upsample, _upsample),
)
