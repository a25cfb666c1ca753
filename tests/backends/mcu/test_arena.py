"""The arena is as large as was planned: in the ELF, and by the bytes that an emulated core touches."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.backends.mcu.codegen.firmware import link_cases
from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.emulator import emulator
from edgevit.backends.mcu.run.elf import read_elf
from edgevit.backends.mcu.schedule.memory import ALIGNMENT
from edgevit.backends.mcu.schedule.search import best_plan
from edgevit.backends.mcu.toolchain import toolchain
from tests.backends.mcu.on_cores import programs_of
from tests.backends.mcu.random_nets import random_net

M4 = CORES["m4"]


@pytest.mark.parametrize("optimize", ["ram", "balanced"])
@pytest.mark.parametrize("seed", [0, 3, 7, 11])
def test_planned_is_linked_is_touched(seed: int, optimize: str, tmp_path: Path) -> None:
    graph, inputs = random_net(seed)
    plan = best_plan(graph, M4, optimize)
    elf = link_cases(programs_of([plan], [inputs]), M4, toolchain("zig"), tmp_path)
    arena = read_elf(elf).symbol("arena")
    assert arena.size == plan.size
    touched = emulator("qemu").run(elf, M4, touch=True).touched
    assert touched is not None
    first = arena.address - touched.base
    used = [i for i, mark in enumerate(touched.marks[first : first + plan.size]) if mark]
    # A kernel may leave the end of its scratch alone where the net's sizes do not need it.
    assert plan.size - ALIGNMENT - _slack(plan) <= used[-1] + 1 <= plan.size


def _slack(plan) -> int:
    top = max(plan.buffers, key=lambda buffer: buffer.end)
    return top.size if top.name.endswith("scratch") else 0
