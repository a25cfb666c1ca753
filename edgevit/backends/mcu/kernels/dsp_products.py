"""Cards of the kernels that sum products by Arm's SMLAD, and the order in which they read weights.

See kernels/include/ev_products_dsp.h for the arithmetic. A word is two taps of a pair of columns; taps go in fours, 0 and
2 in one word and 1 and 3 in the next, and columns in fours, two pairs alternately.
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

_ROWS, _HEAD, _BLOCK = 2, 8, 4  # of a tile: rows, words before them; columns at once
_STRIP = 16  # outputs of a depthwise convolution
_EXACT = 2**23  # sums of products below it come out of the difference of two sums


def packed_columns(weight: np.ndarray) -> np.ndarray:
    """Pack weights for SMLAD, padded with zeros.

    N x runs x taps -> blocks x runs x fours of taps x 2 words x 2 pairs x 2 taps x 2 columns
    """
    count, runs, taps = weight.shape
    padded = np.pad(weight, ((0, -count % _BLOCK), (0, 0), (0, -taps % 4)))
    blocks = padded.reshape(-1, 2, 2, runs, -(-taps // 4), 2, 2)
    words = blocks.transpose(0, 3, 4, 6, 1, 5, 2).copy()
    words[..., 0] ^= -128
    return words


def packed_constants(bias: np.ndarray, multiplier: np.ndarray) -> np.ndarray:
    """Pack the constants of every pair of columns: two biases, then two multipliers."""
    both = np.stack([bias, multiplier])
    padded = np.pad(both, ((0, 0), (0, -len(bias) % _BLOCK)))
    return padded.reshape(2, -1, 2).transpose(1, 0, 2)


def tile_bytes(runs: int, taps: int) -> int:
    """Return the bytes of a tile: taps are widened to halfwords, each run padded to four taps."""
    return 4 * _HEAD + _ROWS * 2 * runs * _fours(taps)


def _fours(taps: int) -> int:
    return -(-taps // 4) * 4


def is_exact(weight: np.ndarray) -> bool:
    reach = 128 * np.abs(weight.reshape(len(weight), -1).astype(np.int64)).sum(1)
    return bool(np.all(reach < _EXACT))


def _linear(op: Linear, tile: Tile, function: str) -> Steps:
    steps = linear_steps(op, tile, function, packed_columns(op.weight[:, None]))
    return _with_constants(steps, op.bias, op.multiplier)


def _conv2d(op: Conv2d, tile: Tile, function: str) -> Steps:
    """Return the steps of a convolution, whose weights have one run for each row of the window."""
    packed = packed_columns(op.weight.reshape(*op.weight.shape[:2], -1))
    steps = conv2d_steps(op, tile, function, packed)
    return _with_constants(steps, op.bias, op.multiplier)


def _conv2d_scratch(op: Conv2d) -> int:
    """Return the scratch bytes: a tile, and a row of a window."""
    _, high, wide, channels = op.weight.shape
    return tile_bytes(high, wide * channels) + wide * channels


def packed_windows(op: Depthwise) -> np.ndarray:
    """Pack depthwise weights, with zeros between dilated taps.

    Fours of channels x 4 x rows x fours of taps: 0, 2, 1, 3.
    """
    high, _, channels = op.weight.shape
    apart = op.window.dilation[1]
    spread = np.zeros((high, -(-2 * _words(op) // 4) * 4, -(-channels // 4) * 4), np.int8)
    spread[:, : op.window.spans[1] : apart, :channels] = op.weight
    fours = spread.reshape(high, -1, 2, 2, spread.shape[2])
    return fours.transpose(4, 0, 1, 3, 2)


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


def _with_constants(steps: Steps, bias: np.ndarray, multiplier: np.ndarray) -> Steps:
    (call,) = steps.calls
    fields = {**call.fields, "bias": packed_constants(bias, multiplier), "multiplier": 0}
    return Steps((replace(call, fields=fields),))


def _matmul(op: MatMul, tile: Tile) -> Steps:
    return matmul_steps(
        op, tile, "ev_matmul_pack_s8_dsp", "ev_matmul_s8_dsp", _packed_matrix_bytes(op)
    )


def _packed_matrix_bytes(op: MatMul) -> int:
    depth, columns = op.inputs[0].shape[2], op.output.shape[2]
    return -(-columns // _BLOCK) * _BLOCK * _fours(depth)


def _matmul_scratch(op: MatMul) -> int:
    return aligned(_packed_matrix_bytes(op)) + tile_bytes(1, op.inputs[0].shape[2])


def _matmul_is_exact(op: MatMul) -> bool:
    largest = max(127 - op.zero, 128 + op.zero)
    return op.inputs[0].shape[2] * largest * 128 < _EXACT


def _sources(stored: str) -> tuple[str, ...]:
    """Return the sources of products that are stored in 8 bits, `_deep` ones too, or `_to_s16`."""
    return (
        f"linear/ev_products{stored}_dsp.S",
        f"linear/ev_products_row{stored}_dsp.c",
        f"linear/ev_products_tile{stored}_dsp.c",
        "linear/ev_tile_row_dsp.c",
    )


def _linear_card(
    name: str, stored: str, takes: Callable[[Linear], bool], exact: bool = True
) -> Card:
    return Card(
        name,
        Linear,
        "dsp",
        (f"linear/{name}.c", *_sources(stored)),
        lambda op, tile: _linear(op, tile, name),
        lambda op: tile_bytes(1, op.weight.shape[1]),
        lambda op: takes(op) and (is_exact(op.weight) or not exact),
        rows_per_call=2,
    )


def _conv2d_card(
    name: str, stored: str, takes: Callable[[Conv2d], bool], exact: bool = True
) -> Card:
    return Card(
        name,
        Conv2d,
        "dsp",
        (f"conv2d/{name}.c", *_sources(stored)),
        lambda op, tile: _conv2d(op, tile, name),
        _conv2d_scratch,
        lambda op: takes(op) and op.groups == 1 and (is_exact(op.weight) or not exact),
    )


def _depthwise_card(name: str, takes: Callable[[Depthwise], bool]) -> Card:
    return Card(
        name,
        Depthwise,
        "dsp",
        (f"depthwise/{name}.c",),
        lambda op, tile: depthwise_steps(op, tile, name, packed_windows(op)),
        _depthwise_scratch,
        takes,
    )


DSP_PRODUCTS: tuple[Card, ...] = (
    _linear_card("ev_linear_s8_dsp", "", stores_bytes),
    _linear_card("ev_linear_deep_s8_dsp", "_deep", stores_bytes, exact=False),
    _linear_card("ev_linear_to_s16_dsp", "_to_s16", stores_halves),
    _conv2d_card("ev_conv2d_s8_dsp", "", stores_bytes),
    _conv2d_card("ev_conv2d_deep_s8_dsp", "_deep", stores_bytes, exact=False),
    _conv2d_card("ev_conv2d_to_s16_dsp", "_to_s16", stores_halves),
    _depthwise_card("ev_depthwise_s8_dsp", stores_bytes),
    _depthwise_card("ev_depthwise_s16_dsp", stores_halves),
    Card(
        "ev_matmul_s8_dsp",
        MatMul,
        "dsp",
        ("matmul/ev_matmul_pack_s8_dsp.c", "matmul/ev_matmul_s8_dsp.c", *_sources("")),
        _matmul,
        _matmul_scratch,
        _matmul_is_exact,
        rows_per_call=2,
    ),
)
