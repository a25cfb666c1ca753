"""Cards of the kernels for Helium, the vectors of Cortex-M55, and how their weights are packed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from edgevit.backends.mcu.kernels import plain_rows as rows
from edgevit.backends.mcu.kernels.card import Card, Steps, Tile, of_family, row_card
from edgevit.backends.mcu.kernels.moves import MOVES
from edgevit.backends.mcu.kernels.plain_products import (
    conv2d_steps,
    depthwise_steps,
    linear_steps,
    matmul_steps,
    stores_bytes,
    stores_halves,
)
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.pointwise import Add, AddWide, Lookup, Multiply, Rescale
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear, MatMul
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.ops.windows import AveragePool, MaxPool

_COLUMNS = 4  # of a block
_DEPTH = 16  # bytes of a vector
_IMAGE = 4096  # bytes of the image that a depthwise convolution has in words at a time
_PIXEL = 64  # of these, for a pixel of sixteen channels, four rows of it
_STRIP = 2048  # bytes of the image that a convolution gathers at a time


def column_order(count: int) -> np.ndarray:
    """Return the column numbers as blocks x 4.

    The last block overlaps the one before it. With too few columns, the last one is repeated.
    """
    starts = np.minimum(np.arange(0, count, _COLUMNS), max(count - _COLUMNS, 0))
    return np.minimum(starts[:, None] + np.arange(_COLUMNS), count - 1)


def packed_columns(weight: np.ndarray, bias: np.ndarray, multiplier: np.ndarray) -> np.ndarray:
    """Pack the weights behind the bias and multiplier of each block.

    N x K, and a bias and a multiplier for each of N
    -> blocks of these two, then sixteens of K x 4 x 16
    """
    order = column_order(len(weight))
    constants = np.stack([bias, multiplier]).astype("<i4")[:, order].transpose(1, 0, 2)
    padded = np.pad(weight, ((0, 0), (0, -weight.shape[1] % _DEPTH)))
    sixteens = padded[order].reshape(len(order), _COLUMNS, -1, _DEPTH).transpose(0, 2, 1, 3)
    parts = [np.ascontiguousarray(part).view(np.int8) for part in (constants, sixteens)]
    return np.concatenate([part.reshape(len(order), -1) for part in parts], axis=1)


def _linear(op: Linear, tile: Tile) -> Steps:
    packed = packed_columns(op.weight, op.bias, op.multiplier)
    return _in_blocks(linear_steps(op, tile, "ev_linear_s8_mve", packed))


def _in_blocks(steps: Steps) -> Steps:
    """Remove bias and multiplier from the parameters; they are packed with the weights."""
    (call,) = steps.calls
    return replace(
        steps, calls=(replace(call, fields={**call.fields, "bias": 0, "multiplier": 0}),)
    )


def _conv2d(op: Conv2d, tile: Tile) -> Steps:
    """Return the steps of a convolution, whose weights are packed group by group.

    The depth is in the order in which the kernel gathers the image.
    """
    weight = op.weight if _apart(op) else op.weight.transpose(0, 2, 1, 3)
    flat = weight.reshape(len(weight), -1)
    groups = zip(
        *(np.split(part, op.groups) for part in (flat, op.bias, op.multiplier)), strict=True
    )
    packed = np.concatenate([packed_columns(*group) for group in groups])
    return _in_blocks(conv2d_steps(op, tile, "ev_conv2d_s8_mve", packed))


def _apart(op: Conv2d) -> bool:
    """Return whether windows share no columns, so that each is gathered row by row.

    Others are gathered by columns, which they share.
    """
    return op.groups == 1 and op.window.stride[1] >= op.window.size[1]


def _strip(op: Conv2d) -> int:
    """Return the bytes of the image under some pixels' windows, with the overread at the end."""
    column = op.weight[0].size // op.window.size[1]
    wide, stride = op.window.size[1], op.window.stride[1]
    step = wide if _apart(op) else stride  # columns that a pixel adds
    pixels = min(max(_STRIP // (step * column) // 4 * 4, 4), 16)
    return ((pixels - 1) * step + wide) * column + _DEPTH


def _depthwise(op: Depthwise, tile: Tile) -> Steps:
    return depthwise_steps(op, tile, "ev_depthwise_s8_mve", _packed_taps(op))


def _words(op: Depthwise) -> int:
    """Return the words of a window column; four rows are a word."""
    return {1: 1, 2: 2, 3: 4, 4: 4}[-(-op.window.size[0] // 4)]


def _vectors(op: Depthwise) -> int:
    """Return the vectors of a window."""
    return -(-op.window.size[1] * _words(op) // 4)


def _packed_taps(op: Depthwise) -> np.ndarray:
    """Pack depthwise weights as channels x vectors x 16: column by column, each in whole words."""
    high, wide, channels = op.weight.shape
    columns = 4 * _vectors(op) // _words(op)
    padded = np.pad(op.weight, ((0, 4 * _words(op) - high), (0, columns - wide), (0, 0)))
    return np.ascontiguousarray(padded.transpose(2, 1, 0)).reshape(channels, -1, _DEPTH)


def _columns(op: Depthwise) -> int:
    """Return the columns of the image for as many pixels as fit."""
    (_, wide), (_, stride), (_, apart) = op.window.size, op.window.stride, op.window.dilation
    pixels = -(-op.output.shape[1] // 4) * 4

    def columns() -> int:
        return (pixels - 1) * stride + (wide - 1) * apart + 1

    while pixels > 4 and columns() * _words(op) * _PIXEL > _IMAGE:
        pixels -= 4
    return columns()


def _depthwise_scratch(op: Depthwise) -> int:
    """Return the scratch bytes: the columns, and the weights of two rows of the output."""
    reach = 4 * op.window.dilation[1]  # columns of zero weight that the last vector reads
    return (_columns(op) * _words(op) + reach) * _PIXEL + 2 * _DEPTH * _vectors(op)


def _matmul(op: MatMul, tile: Tile) -> Steps:
    return matmul_steps(
        op, tile, "ev_matmul_pack_s8_mve", "ev_matmul_s8_mve", _packed_matrix_bytes(op)
    )


def _packed_matrix_bytes(op: MatMul) -> int:
    sixteens = -(-op.inputs[0].shape[2] // _DEPTH)
    return len(column_order(op.output.shape[2])) * _COLUMNS * (8 + sixteens * _DEPTH)


def _near_enough(op: MatMul) -> bool:
    """Return whether the distances that packing writes at fit 16 bits.

    Packing writes values of eight columns at once, in two blocks.
    """
    return op.turned or op.inputs[0].shape[2] < 2**13


def _adds_bytes(op: AddWide) -> bool:
    return op.inputs[1].dtype == "int8"


def _makes_bytes(op: Rescale) -> bool:
    return op.output.dtype == "int8"


def _sums_rows_in_halves(op: AveragePool) -> bool:
    """Refuse a row whose sum 16 bits do not hold."""
    return op.window.size[1] <= 256


def _exponentials(op: Softmax) -> int:
    """Return the bytes of a row's exponentials, in whole pairs of vectors."""
    return 2 * -(-op.source.shape[-1] // _DEPTH) * _DEPTH


_EVEN_FIRST = np.array([0, 2, 4, 6, 1, 3, 5, 7])  # as 16 bits widen to 32


def _norm(op: Norm, tile: Tile, function: str) -> Steps:
    """Return the steps of a norm, with gain and bias in the order of the lanes they meet."""
    steps = rows.norm_steps(op, tile, function)
    if op.gain is None or op.bias is None:
        return steps
    halves = np.arange(8) if op.wide else np.concatenate([2 * np.arange(8), 2 * np.arange(8) + 1])
    words = halves.reshape(-1, 8)[:, _EVEN_FIRST].ravel()
    (call,) = steps.calls
    packed = {"gain": _by_lanes(op.gain, halves), "bias": _by_lanes(op.bias, words)}
    return replace(steps, calls=(replace(call, fields={**call.fields, **packed}),))


def _by_lanes(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    whole = np.pad(values, (0, -len(values) % len(order)))
    return whole.reshape(-1, len(order))[:, order].ravel()


_PRODUCT = ("linear/ev_product_s8_mve.c", "linear/ev_product_pairs_mve.S")
_card = partial(row_card, "mve")

MVE: tuple[Card, ...] = (
    Card(
        "ev_linear_s8_mve",
        Linear,
        "mve",
        ("linear/ev_linear_s8_mve.c", *_PRODUCT),
        _linear,
        takes=stores_bytes,
        row_costs=(2.0, 1.0),
    ),
    Card(
        "ev_conv2d_s8_mve",
        Conv2d,
        "mve",
        ("conv2d/ev_conv2d_s8_mve.c", *_PRODUCT),
        _conv2d,
        _strip,
        lambda op: stores_bytes(op) and op.window.dilation[1] == 1,
    ),
    Card(
        "ev_depthwise_s8_mve",
        Depthwise,
        "mve",
        ("depthwise/ev_depthwise_s8_mve.c",),
        _depthwise,
        _depthwise_scratch,
        lambda op: stores_bytes(op) and op.window.size[0] <= 16,
    ),
    Card(
        "ev_depthwise_s16_mve",
        Depthwise,
        "mve",
        ("depthwise/ev_depthwise_s16_mve.c",),
        lambda op, tile: depthwise_steps(op, tile, "ev_depthwise_s16_mve", op.weight),
        takes=stores_halves,
    ),
    Card(
        "ev_matmul_s8_mve",
        MatMul,
        "mve",
        (
            "matmul/ev_matmul_pack_s8_mve.c",
            "matmul/ev_matmul_s8_mve.c",
            *_PRODUCT,
        ),
        _matmul,
        _packed_matrix_bytes,
        _near_enough,
        row_costs=(2.0, 1.0),
    ),
    _card(
        "softmax_s8", Softmax, "softmax", rows.softmax_steps, scratch=_exponentials, in_place=True
    ),
    _card("norm_s8", Norm, "norm", _norm, takes=lambda op: not op.wide, in_place=True),
    _card("norm_s16", Norm, "norm", _norm, takes=lambda op: op.wide),
    _card("lookup_s8", Lookup, "pointwise", rows.lookup_steps, in_place=True),
    _card("add_s8", Add, "pointwise", rows.add_steps, in_place=True),
    _card("add_wide_s8", AddWide, "pointwise", rows.add_steps, takes=_adds_bytes, in_place=True),
    _card(
        "add_wide_s16",
        AddWide,
        "pointwise",
        rows.add_steps,
        takes=lambda op: not _adds_bytes(op),
        in_place=True,
    ),
    _card("rescale_to_s8", Rescale, "pointwise", rows.rescale_steps, takes=_makes_bytes),
    _card(
        "rescale_to_s16",
        Rescale,
        "pointwise",
        rows.rescale_steps,
        takes=lambda op: not _makes_bytes(op),
    ),
    _card("multiply_s8", Multiply, "pointwise", rows.multiply_steps, in_place=True),
    _card("average_pool_s8", AveragePool, "pool", rows.average_steps, takes=_sums_rows_in_halves),
    _card("max_pool_s8", MaxPool, "pool", rows.max_steps),
    *(of_family(card, "mve") for card in MOVES),
)
