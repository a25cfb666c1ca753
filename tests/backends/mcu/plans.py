"""Plans of every kind for one net: plain ones, searched ones, and any others that can be made."""

from __future__ import annotations

import numpy as np

from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.schedule.image_source import prepared
from edgevit.backends.mcu.schedule.loops import NoLoopError
from edgevit.backends.mcu.schedule.plan import Schedule, make_plan
from edgevit.integer.graph import IntegerGraph


def random_plan(graph: IntegerGraph, core: Core, rng: np.random.Generator) -> Schedule:
    """What must be kept, and a random share of the rest: all of it, where that makes no loops."""
    net, cards = prepared(graph, core)
    share, tile = rng.uniform(0, 0.7), int(rng.integers(1, 6))
    strip = int(rng.integers(1, 40))
    for _ in range(8):
        some = {name for name in net.makers if rng.random() < share}
        try:
            return make_plan(net, cards, net.must_keep() | some, tile, strip=strip)
        except NoLoopError:
            share += 0.1
    return make_plan(net, cards, frozenset(net.makers), tile, strip=strip)
