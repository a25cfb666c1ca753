"""Linears with blocks of zeros on a core: which kernels skip them, what that saves, and which are dense all the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgevit.backends.mcu.kernels.card import Cards, whole
from edgevit.backends.mcu.kernels.sparse import SPARSE, family_blocks
from edgevit.integer import IntegerGraph, Op
from edgevit.integer.ops.products import Linear

_SPARSE = frozenset(card.function for card in SPARSE)
_WORTH_SAYING = 0.1  # of the blocks
_SHOWN = 3


def constant_bytes(op: Op, cards: Cards) -> int:
    """Return what an operation's constants take in flash: of a sparse kernel what it stores."""
    if not is_sparse(op, cards):
        return sum(data.nbytes for data in op.constants().values())
    calls = cards[op.name].steps(op, whole(op)).calls
    fields = [field for call in calls for field in call.fields.values()]
    return sum(field.nbytes for field in fields if isinstance(field, np.ndarray))


def is_sparse(op: Op, cards: Cards) -> bool:
    return op.name in cards and cards[op.name].function in _SPARSE


def bytes_saved(graph: IntegerGraph, cards: Cards) -> int:
    """Return the bytes of weights that no kernel of the graph reads, less those that say where the others are."""
    skipping = [op for op in graph.ops if is_sparse(op, cards)]
    return sum(constant_bytes(op, {}) - constant_bytes(op, cards) for op in skipping)


def sparsity_note(graph: IntegerGraph, cards: Cards) -> str:
    """Return what the export says of blocks of zeros; nothing where there are hardly any."""
    skipping = [op for op in graph.ops if is_sparse(op, cards)]
    dense = [
        f"{op.origin.module or op.name} {share:.0%}"
        for op, share in _zero_shares(graph, cards)
        if share >= _WORTH_SAYING
    ]
    parts = []
    if skipping:
        linears = "1 linear skips" if len(skipping) == 1 else f"{len(skipping)} linears skip"
        saved = bytes_saved(graph, cards)
        parts.append(f"{linears} blocks of zeros, which saves {saved:,} bytes of flash")
    if dense:
        more = f" and {len(dense) - _SHOWN} more" if len(dense) > _SHOWN else ""
        shown = ", ".join(dense[:_SHOWN])
        parts.append(f"dense all the same, as no sparse kernel is quicker: {shown}{more}")
    return "; ".join(parts)


def _zero_shares(graph: IntegerGraph, cards: Cards) -> Iterator[tuple[Op, float]]:
    """Yield the linears with a dense kernel, and which share of their blocks is zero."""
    for op in graph.ops:
        if isinstance(op, Linear) and not is_sparse(op, cards):
            blocks = family_blocks(op, cards[op.name].family)
            if blocks is not None:
                yield op, 1 - blocks.share
