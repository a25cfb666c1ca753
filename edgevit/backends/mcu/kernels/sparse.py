"""Cards of linears with blocks of zeros: blocks that are stored, and where they are.

A block is four columns by 4 inputs, or by 16 for Helium. Columns go in groups of four. The last group, and the last block
of a row, overlap what is before them where sizes are no multiples: such columns are computed twice, such inputs have
zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgevit.backends.mcu.kernels.card import (
    Card,
    Field,
    Input,
    KernelCall,
    Output,
    RowCount,
    Scratch,
    Steps,
    Tile,
)
from edgevit.backends.mcu.kernels.dsp_products import is_exact, packed_constants, tile_bytes
from edgevit.backends.mcu.kernels.plain_products import stores_bytes, stores_halves
from edgevit.integer.ops.products import Linear

COLUMNS = 4
DEPTH, DEPTH_MVE = 4, 16
_BREAK_EVEN = {  # by family: measured by benchmarks/sparse_kernels.py, on the core that gains least
    "plain": (0.70, 0.0),
    "dsp": (0.77, 0.0),
    "mve": (0.77, 0.75),
}
_FARTHEST = 2**15 - 1  # inputs between blocks that 16 bits hold beside a mark


@dataclass(frozen=True)
class Blocks:
    """Weights in blocks, groups x blocks x columns x inputs, and which of them are stored."""

    weight: np.ndarray
    stored: np.ndarray  # groups x blocks
    columns: np.ndarray  # groups x 4: which columns each has
    starts: np.ndarray  # first input of each block

    @property
    def share(self) -> float:
        return float(self.stored.mean())


def blocks_of(weight: np.ndarray, depth: int) -> Blocks:
    """Return the blocks of N x K weights; every group stores one at least."""
    count, width = weight.shape
    starts = np.minimum(np.arange(0, width, depth), width - depth)
    columns = _starts(count, COLUMNS)[:, None] + np.arange(COLUMNS)
    inputs = starts[:, None] + np.arange(depth)
    blocks = weight[columns][:, :, inputs].transpose(0, 2, 1, 3).copy()
    blocks[:, -1, :, : -width % depth] = 0
    stored = np.asarray(blocks.any(axis=(2, 3)))
    stored[stored.sum(1) == 0, 0] = True
    return Blocks(blocks, stored, columns, starts)


def _starts(count: int, step: int) -> np.ndarray:
    return np.minimum(np.arange(0, count, step), count - step)


def _padded(weight: np.ndarray) -> np.ndarray:
    """Pad the inputs with zeros to fours, as a tile does."""
    return np.pad(weight, ((0, 0), (0, -weight.shape[1] % DEPTH)))


def _steps(op: Linear, tile: Tile, function: str, fields: dict[str, Field]) -> Steps:
    columns, depth = op.weight.shape
    sizes = {"depth": depth, "columns": columns, "x_stride": depth, "y_stride": columns}
    arguments = (Input(), Output(), tile.rows or RowCount(), Scratch())
    return Steps((KernelCall(function, "ev_linear_sparse", {**sizes, **fields}, arguments),))


def plain_fields(op: Linear) -> dict[str, Field]:
    """Return the stored blocks, inputs x columns, and of each group how many and where they begin."""
    blocks = blocks_of(op.weight, DEPTH)
    index = [np.concatenate([[row.sum()], blocks.starts[row]]) for row in blocks.stored]
    weight = blocks.weight[blocks.stored].transpose(0, 2, 1)
    places = np.concatenate(index).astype(np.uint16)
    return {"weight": weight, "index": places, "bias": op.bias, "multiplier": op.multiplier}


def _words(blocks: np.ndarray) -> np.ndarray:
    """Pack blocks for SMLAD, as halves: 2 words x 2 pairs of columns x 2 taps."""
    pairs = blocks.astype(np.int32).reshape(-1, 2, 2, 2, 2)  # pair, column, taps 2 apart, next taps
    return (256 * pairs[:, :, 1] + pairs[:, :, 0]).transpose(0, 3, 1, 2)


def dsp_fields(op: Linear) -> dict[str, Field]:
    blocks = blocks_of(_padded(op.weight), DEPTH)
    groups = [
        _paired(_words(group[stored]).astype("<i2"), np.flatnonzero(stored))
        for group, stored in zip(blocks.weight, blocks.stored, strict=True)
    ]
    order = blocks.columns.ravel()
    constants = packed_constants(op.bias[order], op.multiplier[order])
    weight = np.concatenate(groups).view(np.int8)
    return {"weight": weight, "index": 0, "bias": constants, "multiplier": 0}


def _paired(words: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Put a header before each pair of blocks: how far each is behind the last, and which is the last."""
    skipped = np.diff(places, prepend=-1) - 1
    marks = 2 * skipped + (np.arange(len(places)) == len(places) - 1)
    headers = np.pad(marks, (0, len(marks) % 2)).reshape(-1, 2).astype("<u2").view("<i2")
    parts = [
        np.concatenate([header, words[2 * pair : 2 * pair + 2].ravel()])
        for pair, header in enumerate(headers)
    ]
    return np.concatenate(parts)


def mve_fields(op: Linear) -> dict[str, Field]:
    blocks = blocks_of(op.weight, DEPTH_MVE)
    constants = np.stack([op.bias, op.multiplier]).astype("<i4")[:, blocks.columns]
    groups = [
        np.concatenate([np.ascontiguousarray(both).view(np.int8).ravel(), group[stored].ravel()])
        for both, group, stored in zip(
            constants.transpose(1, 0, 2), blocks.weight, blocks.stored, strict=True
        )
    ]
    index = np.concatenate([_marked(blocks.starts[stored]) for stored in blocks.stored])
    return {"weight": np.concatenate(groups), "index": index, "bias": 0, "multiplier": 0}


def _marked(starts: np.ndarray) -> np.ndarray:
    """Return twice the distance of each block from the one before, and 1 more for the last."""
    marks = 2 * np.diff(starts, prepend=0)
    marks[-1] += 1
    return marks.astype(np.uint16)


def largest_share(family: str, blocks: int) -> float:
    """Return the share of stored blocks up to which a kernel takes fewer instructions than the dense one.

    `blocks` are those of a row. What a group costs beside its blocks weighs more in short rows.
    """
    most, fixed = _BREAK_EVEN[family]
    return most - fixed / blocks


def family_blocks(op: Linear, family: str) -> Blocks | None:
    """Return the weights in the blocks of a family's kernel; None if they have fewer than a block."""
    depth = DEPTH_MVE if family == "mve" else DEPTH
    if op.weight.shape[0] < COLUMNS or op.weight.shape[1] < depth:
        return None
    return blocks_of(_padded(op.weight) if family == "dsp" else op.weight, depth)


def takes(op: Linear, family: str) -> bool:
    """Return whether the family's sparse kernel can hold the weights, and is quicker than the dense one."""
    blocks = family_blocks(op, family)
    if blocks is None or blocks.share > largest_share(family, len(blocks.starts)):
        return False
    if family == "mve":
        return op.weight.shape[1] <= _FARTHEST
    return family == "plain" or _fits_halves(op, blocks)


def _fits_halves(op: Linear, blocks: Blocks) -> bool:
    return is_exact(op.weight) and int(_words(blocks.weight).min()) >= -(2**15)


def _card(
    function: str,
    family: str,
    sources: tuple[str, ...],
    stores: Callable[[Linear], bool],
    fields: Callable[[Linear], dict[str, Field]],
    scratch: Callable[[Linear], int] = lambda _: 0,
    row_costs: tuple[float, ...] = (1.0,),
) -> Card:
    return Card(
        function,
        Linear,
        family,
        tuple(f"linear/{source}" for source in (f"{function}.c", *sources)),
        lambda op, tile: _steps(op, tile, function, fields(op)),
        scratch,
        lambda op: stores(op) and takes(op, family),
        row_costs=row_costs,
    )


def _dsp_card(name: str, products: str, stores: Callable[[Linear], bool]) -> Card:
    sources = (products, "ev_tile_dsp.S", "ev_tile_rows_dsp.c")
    return _card(name, "dsp", sources, stores, dsp_fields, _tile_bytes, (1.3, 1.0))


def _tile_bytes(op: Linear) -> int:
    return tile_bytes(2, 1, op.weight.shape[1]) + 8  # a head of two words more


SPARSE: tuple[Card, ...] = (
    _card("ev_linear_sparse_s8", "plain", (), stores_bytes, plain_fields),
    _card("ev_linear_sparse_to_s16", "plain", (), stores_halves, plain_fields),
    _dsp_card("ev_linear_sparse_s8_dsp", "ev_sparse_products_dsp.S", stores_bytes),
    _dsp_card("ev_linear_sparse_to_s16_dsp", "ev_sparse_products_to_s16_dsp.S", stores_halves),
    _card("ev_linear_sparse_s8_mve", "mve", (), stores_bytes, mve_fields, row_costs=(2.0, 1.0)),
)
