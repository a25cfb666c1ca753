"""The table of cores against the targets' own files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.backends.mcu.cores import CORES, core, core_of
from edgevit.errors import TargetError
from edgevit.targets import Target, list_targets, load_target

EXPECTED = {
    "alif-ensemble-e7": "m55",
    "alif-ensemble-e8": "m55",
    "stm32n6": "m55",
    "corstone-300": "m55",
    "esp32-c3": "rv32",
    "nrf51822": "m0plus",
    "nrf52840": "m4",
    "qemu-m3": "m3",
    "qemu-m4": "m4",
    "qemu-m55": "m55",
    "qemu-m7": "m7",
    "qemu-nrf51": "m0plus",
    "qemu-riscv32": "rv32",
    "qemu-stm32f405": "m4",
    "rp2040": "m0plus",
    "rp2350": "m33",
    "stm32f407": "m4",
    "stm32f746": "m7",
    "stm32h743": "m7",
}


def on_cpu(name: str, isa: str) -> Target:
    board = load_target("qemu-m4")
    assert board.cpu is not None
    return replace(board, compute=(replace(board.cpu, name=name, isa=isa),))


def test_every_microcontroller_has_a_core() -> None:
    shipped = [target for target in list_targets() if "mcu" in target.formats]
    assert {target.name: core_of(target).name for target in shipped} == EXPECTED


def test_an_emulated_target_is_the_machine_its_core_runs_on() -> None:
    """Of cores; an emulated board's port is of a real board, and runs on that machine."""
    emulated = [
        target
        for target in list_targets()
        if target.emulator and target.isa and target.name not in {"qemu-nrf51", "qemu-stm32f405"}
    ]
    assert emulated
    for target in emulated:
        facts, machine = target.emulator, core_of(target).machine
        assert facts is not None and machine is not None
        assert (facts.program, facts.machine, facts.cpu) == (
            machine.program,
            machine.name,
            machine.cpu,
        )


@pytest.mark.parametrize(
    ("name", "isa", "expected"),
    [
        ("Cortex-M85", "armv8.1-m.main+dsp+fp.dp+mve", "m55"),
        ("Cortex-M52", "armv8.1-m.main+dsp+fp", "m33"),
        ("Cortex-M35P", "armv8-m.main+dsp+fp", "m33"),
        ("A core without DSP", "armv8-m.main+fp", "m3"),
        ("Cortex-M7", "armv7e-m+dsp+fp.dp", "m7"),
        ("A core like an M4", "armv7e-m+dsp+fp", "m4"),
        ("Hazard3", "rv32imac", "rv32"),
    ],
)
def test_a_cpu_without_a_name_here_goes_by_its_instructions(
    name: str, isa: str, expected: str
) -> None:
    assert core_of(on_cpu(name, isa)).name == expected


def test_a_phone_has_no_core() -> None:
    with pytest.raises(TargetError, match="cannot be made for the CPU of `pixel-8`") as caught:
        core_of(load_target("pixel-8"))
    assert "aarch64" in caught.value.why


def test_an_unknown_core_lists_the_nearest() -> None:
    with pytest.raises(TargetError, match="no core is called `m44`") as caught:
        core("m44")
    assert "`m4`" in caught.value.hint


def test_the_portable_kernels_run_everywhere() -> None:
    assert {one.families[-1] for one in CORES.values()} == {"plain"}
