"""Cards of the kernels in Arm's DSP instructions that are not products; what has none here is as fast in plain C."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from edgevit.backends.mcu.kernels import plain_rows as plain
from edgevit.backends.mcu.kernels.card import Card, Steps, Tile, of_family, row_card
from edgevit.backends.mcu.kernels.moves import MOVES
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.pointwise import Add, AddWide, Multiply, Rescale
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.ops.windows import AveragePool, MaxPool


def _softmax(op: Softmax, tile: Tile, function: str) -> Steps:
    """Return the steps of a softmax with its table reversed and shifted by -2^15.

    The table then starts at the smallest exponential, and its entries are signed halfwords.
    """
    table = (op.table[::-1].astype(np.int32) - 2**15).astype(np.int16)
    return plain.softmax_steps(replace(op, table=table.view(np.uint16)), tile, function)


def _adds_bytes(op: AddWide) -> bool:
    return op.inputs[1].dtype == "int8"


def _makes_bytes(op: Rescale) -> bool:
    return op.output.dtype == "int8"


def _sums_in_halves(op: AveragePool) -> bool:
    return op.window.size[0] * op.window.size[1] <= 256


_card = partial(row_card, "dsp")

DSP_ROWS: tuple[Card, ...] = (
    _card("softmax_s8", Softmax, "softmax", _softmax, scratch=plain.softmax_scratch, in_place=True),
    _card("norm_s8", Norm, "norm", plain.norm_steps, takes=lambda op: not op.wide),
    _card("norm_s16", Norm, "norm", plain.norm_steps, takes=lambda op: op.wide),
    _card("add_s8", Add, "pointwise", plain.add_steps, in_place=True),
    _card("add_wide_s8", AddWide, "pointwise", plain.add_steps, takes=_adds_bytes, in_place=True),
    _card("add_wide_s16", AddWide, "pointwise", plain.add_steps, in_place=True),
    _card("rescale_to_s8", Rescale, "pointwise", plain.rescale_steps, takes=_makes_bytes),
    _card("rescale_to_s16", Rescale, "pointwise", plain.rescale_steps),
    _card("multiply_s8", Multiply, "pointwise", plain.multiply_steps, in_place=True),
    _card("average_pool_s8", AveragePool, "pool", plain.average_steps, takes=_sums_in_halves),
    _card("max_pool_s8", MaxPool, "pool", plain.max_steps),
    *(of_family(card, "dsp") for card in MOVES),
)
