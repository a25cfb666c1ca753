"""Plain plan: every value whole, one operation after the other."""

from __future__ import annotations

from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.schedule.cards import cards_of
from edgevit.backends.mcu.schedule.loops import Net
from edgevit.backends.mcu.schedule.plan import Schedule, make_plan
from edgevit.integer import IntegerGraph


def simple_plan(graph: IntegerGraph, core: Core, guard: int = 0) -> Schedule:
    net = Net.of(graph)
    cards = cards_of(graph, core)
    return make_plan(net, cards, frozenset(net.makers), tile=1, guard=guard)
