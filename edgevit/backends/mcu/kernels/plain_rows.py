"""Cards of the portable kernels that go row by row, element by element, over windows without weights, or move bytes."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgevit.backends.mcu.kernels.card import (
    Card,
    Field,
    FirstRow,
    Input,
    KernelCall,
    Output,
    Scratch,
    Steps,
    Tile,
    row_card,
)
from edgevit.backends.mcu.kernels.moves import MOVES
from edgevit.backends.mcu.kernels.plain_products import window_fields, window_steps
from edgevit.integer.ops.columns import BinSum, Pick, table_rows
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.pointwise import Add, AddWide, Curve, Lookup, Multiply, Rescale
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.ops.windows import AveragePool, MaxPool


def softmax_steps(op: Softmax, tile: Tile, function: str) -> Steps:
    length = op.source.shape[-1]
    fields = {
        "length": length,
        "x_stride": length,
        "y_stride": length,
        "table": op.table,
        "numerator": op.numerator,
        "shift": op.shift,
    }
    return Steps((KernelCall(function, "ev_softmax", fields, (Input(), Output(), tile.rows, Scratch())),))  # fmt: skip


def norm_steps(op: Norm, tile: Tile, function: str) -> Steps:
    reciprocal, shift = op.reciprocal
    fields: dict[str, Field] = {
        "length": op.length,
        "channels": op.source.shape[-1],
        "centred": int(op.centred),
        "epsilon": op.epsilon,
        "numerator": op.numerator,
        "shift": op.shift,
        "reciprocal": reciprocal,
        "reciprocal_shift": shift - op.mean_bits,
        "gain_shift": op.gain_shift,
        **op.constants(),
    }
    rows = tile.rows * op.source.shape[-1] // op.length
    return Steps((KernelCall(function, "ev_norm", fields, (Input(), Output(), rows, Scratch())),))


def lookup_steps(op: Lookup, tile: Tile, function: str) -> Steps:
    arguments = (Input(), Output(), tile.rows * op.output.shape[-1])
    return Steps((KernelCall(function, "ev_lookup", {"table": op.table}, arguments),))


def curve_steps(op: Curve, tile: Tile, function: str) -> Steps:
    arguments = (Input(), Output(), tile.rows * op.output.shape[-1])
    return Steps((KernelCall(function, "ev_curve", {"table": op.table}, arguments),))


def add_steps(op: Add | AddWide, tile: Tile, function: str) -> Steps:
    fields = {"a_factor": op.left, "b_factor": op.right, "offset": op.offset, "shift": op.shift}
    struct = "ev_add" if isinstance(op, Add) else "ev_add_wide"
    arguments = (Input(0), Input(1), Output(), tile.rows * op.output.shape[-1])
    return Steps((KernelCall(function, struct, fields, arguments),))


def rescale_steps(op: Rescale, tile: Tile, function: str) -> Steps:
    fields = {"factor": op.factor, "offset": op.offset, "shift": op.shift}
    return Steps(
        (
            KernelCall(
                function, "ev_rescale", fields, (Input(), Output(), tile.rows * op.output.shape[-1])
            ),
        )
    )


def multiply_steps(op: Multiply, tile: Tile, function: str) -> Steps:
    a, b = op.inputs
    fields = {
        "a_zero": op.left_zero,
        "b_zero": op.right_zero,
        "bias": op.bias,
        "multiplier": op.multiplier,
        "b_period": 0 if a.shape == b.shape else b.size,
    }
    arguments = (Input(0), Input(1), Output(), tile.rows * op.output.shape[-1])
    return Steps((KernelCall(function, "ev_multiply", fields, arguments),))


def _table_fields(op: Pick | BinSum, table: np.ndarray) -> dict[str, Field]:
    rows = table_rows(table.shape[:-1], op.source.shape[:-1])
    assert rows is not None
    wide = "wide" if table.dtype == np.uint16 else "narrow"
    return {
        "x_columns": op.source.shape[-1],
        "y_columns": op.output.shape[-1],
        "repeat": rows.repeat,
        "period": rows.period,
        wide: table,
    }


def pick_steps(op: Pick, tile: Tile, function: str) -> Steps:
    arguments = (Input(), Output(), FirstRow(), tile.rows)
    return Steps((KernelCall(function, "ev_pick", _table_fields(op, op.index), arguments),))


def bin_sum_steps(op: BinSum, tile: Tile, function: str) -> Steps:
    fields = {
        **_table_fields(op, op.order),
        "ends": op.ends,
        "zero": op.zero,
        "bias": op.bias,
        "multiplier": op.multiplier,
    }
    arguments = (Input(), Output(), FirstRow(), tile.rows)
    return Steps((KernelCall(function, "ev_bin_sum", fields, arguments),))


def average_steps(op: AveragePool, tile: Tile, function: str) -> Steps:
    fields = {
        "window": window_fields(op, tile, op.pad_value),
        "bias": op.bias,
        "multiplier": op.multiplier,
    }
    return window_steps(tile, function, "ev_pool", fields)


def max_steps(op: MaxPool, tile: Tile, function: str) -> Steps:
    fields = {"window": window_fields(op, tile, -128)}
    return window_steps(tile, function, "ev_pool", fields)


def softmax_scratch(op: Softmax) -> int:
    """Return the bytes of a row's exponentials."""
    return 2 * op.source.shape[-1]


def _second_is_byte(op: AddWide) -> bool:
    return op.inputs[1].dtype == "int8"


_card = partial(row_card, "plain")

PLAIN_ROWS: tuple[Card, ...] = (
    _card("softmax_s8", Softmax, "softmax", softmax_steps, scratch=softmax_scratch),
    _card("norm_s8", Norm, "norm", norm_steps, takes=lambda op: not op.wide),
    _card("norm_s16", Norm, "norm", norm_steps, takes=lambda op: op.wide),
    _card("lookup_s8", Lookup, "pointwise", lookup_steps, in_place=True),
    _card("curve_s16", Curve, "pointwise", curve_steps, in_place=True),
    _card("add_s8", Add, "pointwise", add_steps, in_place=True),
    _card(
        "add_wide_s8", AddWide, "pointwise", add_steps, takes=_second_is_byte, in_place=True
    ),
    _card(
        "add_wide_s16",
        AddWide,
        "pointwise",
        add_steps,
        takes=lambda op: not _second_is_byte(op),
        in_place=True,
    ),
    _card(
        "rescale_to_s8",
        Rescale,
        "pointwise",
        rescale_steps,
        takes=lambda op: op.output.dtype == "int8",
    ),
    _card(
        "rescale_to_s16",
        Rescale,
        "pointwise",
        rescale_steps,
        takes=lambda op: op.output.dtype == "int16",
    ),
    _card("multiply_s8", Multiply, "pointwise", multiply_steps, in_place=True),
    _card("pick_s8", Pick, "columns", pick_steps),
    _card("bin_sum_s8", BinSum, "columns", bin_sum_steps),
    _card("average_pool_s8", AveragePool, "pool", average_steps),
    _card("max_pool_s8", MaxPool, "pool", max_steps),
    *MOVES,
)  # fmt: skip
