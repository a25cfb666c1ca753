"""Cortex-M4 cycles: functions whose cycles follow from the processor's manual, instruction by instruction."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.emulator import emulator
from edgevit.backends.mcu.run.cycles import estimate_m4
from edgevit.backends.mcu.run.elf import read_elf
from tests.backends.mcu.building import build


@pytest.mark.parametrize("name", ["unicorn", "qemu"])
def test_cycles_by_hand(name: str, tmp_path: Path) -> None:
    elf = build(tmp_path, "zig", CORES["m4"], "cycles_m4.c", "cycles_m4.S")
    run = emulator(name).run(elf, CORES["m4"], profile=True)
    assert run.profile is not None
    found = estimate_m4(read_elf(elf), run.profile)
    by_hand = {"loads": 11, "loop": 42, "moves": 27}  # as cycles_m4.S adds them up
    assert {function: found.by_function[function] for function in by_hand} == by_hand
    assert found.instructions == run.instructions
    assert found.cycles == sum(found.by_function.values()) > run.instructions
