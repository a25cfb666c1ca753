"""Random nets under random plans, and under those that a search finds: every core and every compiler computes what the integer model does."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgevit.backends.mcu.cores import CORES, Core
from edgevit.backends.mcu.schedule.plan import Schedule
from edgevit.backends.mcu.schedule.search import OPTIMIZE, best_plan, planned
from edgevit.backends.mcu.toolchain import TOOLCHAINS
from edgevit.integer.graph import IntegerGraph
from tests.backends.mcu.on_cores import check_on_core, programs_of
from tests.backends.mcu.plans import random_plan
from tests.backends.mcu.random_nets import random_net


def some_plan(seed: int, graph: IntegerGraph, core: Core) -> Schedule:
    """Of four kinds; the same net has two of them, for cores by turns: a search is what takes longest here."""
    kind = (seed + 2 * (list(CORES).index(core.name) % 2)) % (1 + len(OPTIMIZE))
    if kind == len(OPTIMIZE):
        return random_plan(graph, core, np.random.default_rng(seed))
    return planned(graph, core, *_found(seed, list(OPTIMIZE)[kind]))


@cache
def _found(seed: int, optimize: str) -> tuple[frozenset[str], int, int]:
    """What the search keeps; it hardly depends on the core."""
    plan = best_plan(random_net(seed)[0], CORES["m4"], optimize)
    return frozenset(name for loop in plan.loops for name in loop.kept), plan.tile, plan.strip


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLCHAINS)
@pytest.mark.parametrize("core", CORES)
def test_every_core_computes_the_same(
    core: str, tool: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    count = request.config.getoption("--firmware-nets")
    for first in range(0, count, 100):
        singles = [random_net(seed) for seed in range(first, min(first + 100, count))]
        plans = [
            some_plan(seed, graph, CORES[core]) for seed, (graph, _) in enumerate(singles, first)
        ]
        cases = programs_of(plans, [inputs for _, inputs in singles])
        check_on_core(cases, core, tool, tmp_path)
