"""Cards of the kernels that sum products by Arm's SMLAD, and the order in which they read weights.

See kernels/include/ev_products_dsp.h for the arithmetic. A word is two taps of a pair of columns; taps go in fours, 0 and
2 in one word and 1 and 3 in the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgevit.backends.mcu.kernels.card import Card, Steps, Tile
from edgevit.backends.mcu.kernels.plain_products import (
    aligned,
    conv2d_steps,
    depthwise_steps,
    linear_steps,
    matmul_steps,
    stores_bytes,
    stores_halves,
)
from edgevit.integer.ops.products import Conv2d, Depthwise, Linear, MatMul

_HEAD, _PAIR = 6, 2  # words before the rows of a tile; columns at once
_FEW, _MOST = 2, 3  # rows of a tile
_ROW_COSTS = (1.25, 1.05, 1.0)
_STRIP = 16  # outputs of a depthwise convolution
_SQUARE = [0, 3, 1, 4, 6, 2, 7, 5, 8]  # taps of a 3x3 window, as its words are unpacked
_EXACT = 2**23  # sums of products below it come out of the difference of two sums


def packed_columns(weight: np.ndarray) -> np.ndarray:
    """Pack weights for SMLAD, padded with zeros.

    N x runs x taps -> pairs x runs x fours of taps x 2 words x 2 taps: 256 * second + first column
    """
    count, runs, taps = weight.shape
    padded = np.pad(weight, ((0, -count % _PAIR), (0, 0), (0, -taps % 4)))
    pairs = padded.reshape(-1, _PAIR, runs, -(-taps // 4), 2, 2).astype(np.int16)
    return (256 * pairs[:, 1] + pairs[:, 0]).swapaxes(-1, -2).copy().view(np.int8)


def packed_constants(bias: np.ndarray, multiplier: np.ndarray) -> np.ndarray:
    """Pack the constants of every pair of columns: two biases, then two multipliers."""
    both = np.stack([bias, multiplier])
    padded = np.pad(both, ((0, 0), (0, -len(bias) % _PAIR)))
    return padded.reshape(2, -1, _PAIR).transpose(1, 0, 2)


def tile_bytes(rows: int, runs: int, taps: int) -> int:
    """Return the bytes of a tile: taps are widened to halfwords, each run padded to four taps."""
    return 4 * _HEAD + rows * 2 * runs * _fours(taps)


def _fours(taps: int) -> int:
    return -(-taps // 4) * 4


def _fits(weight: np.ndarray) -> bool:
    """Return whether 16 bits hold 256 * second + first column."""
    return bool(np.all(weight > -128))


def is_exact(weight: np.ndarray) -> bool:
    reach = 128 * np.abs(weight.reshape(len(weight), -1).astype(np.int64)).sum(1)
    return bool(np.all(reach < _EXACT))


def _linear(op: Linear, tile: Tile, function: str, rows: int) -> Steps:
    steps = linear_steps(op, tile, function, packed_columns(op.weight[:, None]))
    return _by_tiles(steps, rows, op)


def _conv2d(op: Conv2d, tile: Tile, function: str, rows: int) -> Steps:
    """Return the steps of a convolution, whose weights have one run for each row of the window."""
    packed = packed_columns(op.weight.reshape(*op.weight.shape[:2], -1))
    return _by_tiles(conv2d_steps(op, tile, function, packed), rows, op)


def _conv2d_scratch(op: Conv2d, rows: int) -> int:
    """Return the scratch bytes: a tile, and a row of a window."""
    _, high, wide, channels = op.weight.shape
    return tile_bytes(rows, high, wide * channels) + wide * channels


def packed_windows(op: Depthwise) -> np.ndarray:
    """Pack depthwise weights, with zeros between dilated taps.

    Channels, padded to fours, x rows x taps: of every four the first, the third, the second and the
    fourth; of the last two a zero between them. A window of 3x3 has an order of its own. Three
    bytes follow, which the kernel reads.
    """
    high, _, channels = op.weight.shape
    apart, taps = op.window.dilation[1], op.window.spans[1]
    spread = np.zeros((_fours(channels), high, _fours(taps)), np.int8)
    spread[:channels, :, :taps:apart] = op.weight.transpose(2, 0, 1)
    if (high, taps) == (3, 3):
        return np.pad(spread[:, :, :3].reshape(-1, 9)[:, _SQUARE].ravel(), (0, 3))
    pairs = spread.reshape(*spread.shape[:2], -1, 2, 2).swapaxes(-1, -2)
    rows = pairs.reshape(spread.shape)[:, :, : taps + (taps % 4 == 2)]
    return np.pad(rows.ravel(), (0, 3))


def _words(op: Depthwise) -> int:
    """Return the words of a window row: pairs of taps, from the first column on or the second."""
    return op.window.spans[1] // 2 + 1


def _depthwise_scratch(op: Depthwise) -> int:
    """Return the scratch bytes, for four channels at a time.

    They hold the unpacked rows under a strip of outputs, two words for every two taps, and two
    words a row.
    """
    high, words = op.window.size[0], _words(op)
    outputs = min(_STRIP, _fours(op.output.shape[1]))
    pairs = (outputs - 1) * op.window.stride[1] // 2 + words
    return high * (16 * pairs + 32 * words + 8)


def _by_tiles(steps: Steps, rows: int, op: Linear | Conv2d) -> Steps:
    (call,) = steps.calls
    constants = packed_constants(op.bias, op.multiplier)
    fields = {**call.fields, "bias": constants, "multiplier": 0, "tile_rows": rows}
    return Steps((replace(call, fields=fields),))


def _matmul(op: MatMul, tile: Tile, rows: int) -> Steps:
    packed_bytes = _packed_matrix_bytes(op)
    steps = matmul_steps(op, tile, "ev_matmul_pack_s8_dsp", "ev_matmul_s8_dsp", packed_bytes)
    calls = (replace(call, fields={**call.fields, "tile_rows": rows}) for call in steps.calls)
    return replace(steps, calls=tuple(calls))


def _packed_matrix_bytes(op: MatMul) -> int:
    depth, columns = op.inputs[0].shape[2], op.output.shape[2]
    return -(-columns // _PAIR) * _PAIR * _fours(depth)


def _matmul_scratch(op: MatMul, rows: int) -> int:
    return aligned(_packed_matrix_bytes(op)) + tile_bytes(rows, 1, op.inputs[0].shape[2])


def _matmul_is_exact(op: MatMul) -> bool:
    largest = max(127 - op.zero, 128 + op.zero)
    return op.inputs[0].shape[2] * largest * 128 < _EXACT


def _sources(variant: str) -> tuple[str, ...]:
    """Return the sources of products: those stored in 8 bits, `_deep` or `_offset` ones, or `_to_s16`."""
    return (
        f"linear/ev_products{variant}_dsp.S",
        "linear/ev_products_tile_dsp.c",
        "linear/ev_tile_dsp.S",
        "linear/ev_tile_rows_dsp.c",
    )


def _tiled(card: Callable[[int], Card]) -> Card:
    """Return the card of the smallest tiles, with the one of the largest."""
    return replace(card(_FEW), wider=card(_MOST))


def _linear_card(
    name: str, variant: str, takes: Callable[[Linear], bool], exact: bool = True
) -> Card:
    return _tiled(
        lambda rows: Card(
            name,
            Linear,
            "dsp",
            (f"linear/{name}.c", *_sources(variant)),
            lambda op, tile: _linear(op, tile, name, rows),
            lambda op: tile_bytes(rows, 1, op.weight.shape[1]),
            lambda op: takes(op) and _fits(op.weight) and (is_exact(op.weight) or not exact),
            in_place=True,  # rows as long as the input's: a tile is unpacked before it is written
            row_costs=_ROW_COSTS,
        )
    )


def _is_single_row(op: Linear) -> bool:
    return stores_bytes(op) and op.output.rows == 1


def _conv2d_card(
    name: str, variant: str, takes: Callable[[Conv2d], bool], exact: bool = True
) -> Card:
    return _tiled(
        lambda rows: Card(
            name,
            Conv2d,
            "dsp",
            (f"conv2d/{name}.c", *_sources(variant)),
            lambda op, tile: _conv2d(op, tile, name, rows),
            lambda op: _conv2d_scratch(op, rows),
            lambda op: (
                takes(op)
                and op.groups == 1
                and _fits(op.weight)
                and (is_exact(op.weight) or not exact)
            ),
        )
    )


def _depthwise_card(name: str, takes: Callable[[Depthwise], bool]) -> Card:
    return Card(
        name,
        Depthwise,
        "dsp",
        (f"depthwise/{name}.c", f"depthwise/{name.replace('depthwise', 'depthwise_row')}.S"),
        lambda op, tile: depthwise_steps(op, tile, name, packed_windows(op)),
        _depthwise_scratch,
        takes,
    )


DSP_PRODUCTS: tuple[Card, ...] = (
    _linear_card("ev_linear_s8_dsp", "", stores_bytes),
    _linear_card("ev_linear_deep_row_s8_dsp", "_deep", _is_single_row, exact=False),
    _linear_card("ev_linear_deep_s8_dsp", "_deep", stores_bytes, exact=False),
    _linear_card("ev_linear_to_s16_dsp", "_to_s16", stores_halves),
    _conv2d_card("ev_conv2d_s8_dsp", "", stores_bytes),
    _conv2d_card("ev_conv2d_deep_s8_dsp", "_deep", stores_bytes, exact=False),
    _conv2d_card("ev_conv2d_to_s16_dsp", "_to_s16", stores_halves),
    _depthwise_card("ev_depthwise_s8_dsp", stores_bytes),
    _depthwise_card("ev_depthwise_s16_dsp", stores_halves),
    _tiled(
        lambda rows: Card(
            "ev_matmul_s8_dsp",
            MatMul,
            "dsp",
            (
                "matmul/ev_matmul_pack_s8_dsp.c",
                "matmul/ev_matmul_s8_dsp.c",
                *_sources("_offset"),
            ),
            lambda op, tile: _matmul(op, tile, rows),
            lambda op: _matmul_scratch(op, rows),
            _matmul_is_exact,
            row_costs=_ROW_COSTS,
        )
    ),
)
