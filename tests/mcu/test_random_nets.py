"""Random nets under random plans: every core and every compiler computes what the integer model does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from on_cores import check_on_core, programs_of
from plans import random_plan
from random_nets import random_net

from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.toolchain import TOOLCHAINS


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
            random_plan(graph, CORES[core], np.random.default_rng(seed))
            for seed, (graph, _) in enumerate(singles, first)
        ]
        cases = programs_of(plans, [inputs for _, inputs in singles])
        check_on_core(cases, core, tool, tmp_path)
