"""Cards of the kernels that sum products by Arm's SMLAD, and the order in which they read weights.

See kernels/include/ev_products_dsp.h for the arithmetic. A word is two taps of a pair of columns; taps go in fours, 0 and
2 in one word and 1 and 3 in the next.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgevit.backends.mcu.kernels.card import Card, Piece, Steps
from edgevit.backends.mcu.kernels.plain_products import aligned, linear_steps, matmul_steps
from edgevit.integer.ops.products import Linear, MatMul

_ROWS = 4  # of a tile
_EXACT = 2**23  # sums of products below it come out of the difference of two sums


def column_pairs(count: int) -> np.ndarray:
    """Pairs x 2: the last pair of an odd number is the last two columns; a single column is both of its pair."""
    first = np.minimum(np.arange(0, count, 2), max(count - 2, 0))
    return np.stack([first, np.minimum(first + 1, count - 1)], axis=1)


def packed_columns(weight: np.ndarray) -> np.ndarray:
    """N x runs x taps -> pairs x runs x fours of taps x 2 words x 2 taps x 2 columns; runs are filled up with zeros."""
    count, runs, taps = weight.shape
    padded = np.pad(weight, ((0, 0), (0, 0), (0, -taps % 4)))
    pairs = padded[column_pairs(count)].reshape(-(-count // 2), 2, runs, -1, 2, 2)
    words = pairs.transpose(0, 2, 3, 5, 4, 1).copy()
    words[..., 0] ^= -128
    return words


def packed_constants(bias: np.ndarray, multiplier: np.ndarray) -> np.ndarray:
    """Of every pair: two biases, two multipliers."""
    pairs = column_pairs(len(bias))
    return np.concatenate([bias[pairs], multiplier[pairs]], axis=1)


def tile_bytes(runs: int, taps: int) -> int:
    """A head of two words a row, then the taps as halves."""
    return _ROWS * (8 + 2 * runs * -(-taps // 4) * 4)


def _is_exact(weight: np.ndarray) -> bool:
    reach = 128 * np.abs(weight.reshape(len(weight), -1).astype(np.int64)).sum(1)
    return bool(np.all(reach < _EXACT))


def _linear(op: Linear, at: Piece) -> Steps:
    steps = linear_steps(op, at, "ev_linear_s8_dsp", packed_columns(op.weight[:, None]))
    return _with_constants(steps, op.bias, op.multiplier)


def _with_constants(steps: Steps, bias: np.ndarray, multiplier: np.ndarray) -> Steps:
    (call,) = steps.calls
    fields = {**call.fields, "bias": packed_constants(bias, multiplier), "multiplier": 0}
    return Steps((replace(call, fields=fields),))


def _matmul(op: MatMul, at: Piece) -> Steps:
    return matmul_steps(
        op, at, "ev_matmul_pack_s8_dsp", "ev_matmul_s8_dsp", _packed_matrix_bytes(op)
    )


def _packed_matrix_bytes(op: MatMul) -> int:
    depth, columns = op.inputs[0].shape[2], op.output.shape[2]
    return -(-columns // 2) * 2 * -(-depth // 4) * 4


def _matmul_scratch(op: MatMul) -> int:
    return aligned(_packed_matrix_bytes(op)) + tile_bytes(1, op.inputs[0].shape[2])


def _matmul_is_exact(op: MatMul) -> bool:
    largest = max(127 - op.zero, 128 + op.zero)
    return op.inputs[0].shape[2] * largest * 128 < _EXACT


_SHARED = tuple(
    f"linear/ev_{name}"
    for name in (
        "products_dsp.S",
        "products_row_dsp.c",
        "products_tile_dsp.c",
        "tile_row_dsp.c",
    )
)

DSP_PRODUCTS: tuple[Card, ...] = (
    Card(
        "ev_linear_s8_dsp",
        Linear,
        "dsp",
        ("linear/ev_linear_s8_dsp.c", *_SHARED),
        _linear,
        lambda op: tile_bytes(1, op.weight.shape[1]),
        lambda op: _is_exact(op.weight),
    ),
    Card(
        "ev_matmul_s8_dsp",
        MatMul,
        "dsp",
        ("matmul/ev_matmul_pack_s8_dsp.c", "matmul/ev_matmul_s8_dsp.c", *_SHARED),
        _matmul,
        _matmul_scratch,
        _matmul_is_exact,
    ),
)
