"""Plain plan: every value whole, one operation after the other."""

from __future__ import annotations

from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.schedule.cards import cards_of
from edgevit.backends.mcu.schedule.loops import Net
from edgevit.backends.mcu.schedule.plan import Schedule, make_plan
from edgevit.integer import IntegerGraph


def simple_plan(graph: IntegerGraph, core: Core, guard: int = 0, wide: bool = False) -> Schedule:
    """Return the plan, of the cards with the most scratch if `wide`."""
    net = Net.of(graph, core.value_products)
    cards = cards_of(graph, core)
    if wide:
        cards = {name: card.wider or card for name, card in cards.items()}
    return make_plan(net, cards, frozenset(net.makers), tile=1, guard=guard)
