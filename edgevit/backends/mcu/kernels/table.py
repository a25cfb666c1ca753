"""Table of all kernel cards; the first of a core's families that takes an operation is used."""

from __future__ import annotations

from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.kernels.card import Card
from edgevit.backends.mcu.kernels.dsp_products import DSP_PRODUCTS
from edgevit.backends.mcu.kernels.dsp_rows import DSP_ROWS
from edgevit.backends.mcu.kernels.mve import MVE
from edgevit.backends.mcu.kernels.plain_products import PLAIN_PRODUCTS
from edgevit.backends.mcu.kernels.plain_rows import PLAIN_ROWS
from edgevit.backends.mcu.kernels.selection import SELECTION
from edgevit.backends.mcu.kernels.sparse import SPARSE
from edgevit.integer import Op
from edgevit.integer.ops.moves import Reshape

CARDS: tuple[Card, ...] = (
    *SPARSE,
    *PLAIN_PRODUCTS,
    *PLAIN_ROWS,
    *SELECTION,
    *DSP_PRODUCTS,
    *DSP_ROWS,
    *MVE,
)


def card_of(op: Op, core: Core) -> Card | None:
    """Return the card of an operation; None if there is nothing to compute.

    Every operation has a plain kernel.
    """
    if isinstance(op, Reshape):
        return None
    for family in core.families:
        for card in CARDS:
            if card.family == family and isinstance(op, card.op) and card.takes(op):
                return card
    raise LookupError(f"no kernel for {op.kind} {op.name} on {core.name}")
