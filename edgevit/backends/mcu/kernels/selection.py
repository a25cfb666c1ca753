"""Cards of the kernels that order values, and move rows to and from the places that come of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgevit.backends.mcu.kernels.card import (
    Card,
    Field,
    Input,
    KernelCall,
    Output,
    Steps,
    Tile,
)
from edgevit.integer import SIZES, Op
from edgevit.integer.ops.selection import Gather, OneHot, Order, Scatter


def _order(op: Order, tile: Tile, function: str) -> Steps:
    fields: dict[str, Field] = {
        "length": op.source.shape[-1],
        "count": op.output.shape[-1],
        "rising": int(op.rising),
    }
    return Steps((KernelCall(function, "ev_order", fields, (Input(), Output(), tile.rows)),))


def _gather(op: Gather, _: Tile, function: str) -> Steps:
    stack, rows, width = op.source.shape
    count, size = op.output.shape[1], SIZES[op.output.dtype]
    fields: dict[str, Field] = {"rows": rows, "row_bytes": width * size}
    x, y = Input(0, step=rows * width * size), Output(step=count * width * size)
    return Steps(
        (KernelCall(function, "ev_gather", fields, (x, Input(1, step=2 * count), y, count)),), stack
    )


def _scatter(op: Scatter, _: Tile, function: str) -> Steps:
    stack, rows, width = op.output.shape
    count, size = op.inputs[1].shape[1], SIZES[op.output.dtype]
    fields: dict[str, Field] = {
        "rows": rows,
        "width": width,
        "zero": op.output.zero,
        "adds": int(op.adds),
    }
    arguments = (
        Input(0, step=rows * width * size),
        Input(1, step=2 * count),
        Input(2, step=count * width * size),
        Output(step=rows * width * size),
        count,
    )
    return Steps((KernelCall(function, "ev_scatter", fields, arguments),), stack)


def _one_hot(op: OneHot, _: Tile, function: str) -> Steps:
    count, columns = op.output.shape
    fields: dict[str, Field] = {
        "first": op.first,
        "columns": columns,
        "zero": op.zero,
        "one": op.one,
    }
    return Steps((KernelCall(function, "ev_one_hot", fields, (Input(), Output(), count)),))


def _card(
    function: str,
    op: type[Op],
    steps: Callable[[Any, Tile, str], Steps],
    takes: Callable[[Any], bool] = lambda _: True,
) -> Card:
    sources = (f"selection/{function}.c",)
    return Card(
        function, op, "plain", sources, lambda o, tile: steps(o, tile, function), takes=takes
    )


def _reads_bytes(op: Op) -> bool:
    return op.source.dtype == "int8"


def _reads_halves(op: Op) -> bool:
    return op.source.dtype == "int16"


SELECTION: tuple[Card, ...] = (
    _card("ev_order_s8", Order, _order, _reads_bytes),
    _card("ev_order_s16", Order, _order, _reads_halves),
    _card("ev_gather", Gather, _gather),
    _card("ev_scatter_s8", Scatter, _scatter, _reads_bytes),
    _card("ev_scatter_s16", Scatter, _scatter, _reads_halves),
    _card("ev_one_hot_s8", OneHot, _one_hot),
)
