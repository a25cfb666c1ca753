"""Kernel card of every operation of a graph on a core."""

from __future__ import annotations

from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.kernels.card import Card
from edgevit.backends.mcu.kernels.table import card_of
from edgevit.integer import IntegerGraph


def cards_of(graph: IntegerGraph, core: Core) -> dict[str, Card]:
    """Return the cards by operation; reshapes need none."""
    cards = {op.name: card_of(op, core) for op in graph.ops}
    return {name: card for name, card in cards.items() if card is not None}
