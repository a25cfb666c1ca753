"""Emitted C on an emulated core, compiled by one toolchain: the same cases as on the host, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgevit.backends.mcu.codegen.emit import emit
from edgevit.backends.mcu.codegen.firmware import link_cases
from edgevit.backends.mcu.codegen.test_main_template import Case, read_outputs
from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.emulator import EmulatedRun, emulator, emulators_of
from edgevit.backends.mcu.schedule.plan import Schedule, plan_text
from edgevit.backends.mcu.toolchain import TOOLCHAINS, toolchain
from edgevit.integer.simulate import outputs_of

BUILDS = [(core, tool) for core in CORES for tool in TOOLCHAINS]
# Every core by one compiler, one of DSP's kernels and one of MVE's by both; the others are `long`.
USUAL_BUILDS = [(core, tool) for core, tool in BUILDS if tool == "zig" or core in ("m4", "m55")]


def programs_of(plans: Sequence[Schedule], inputs: Sequence[tuple[np.ndarray, ...]]) -> list[Case]:
    return [
        Case(f"net{index}", plan.net.graph, emit(plan, f"net{index}"), given)
        for index, (plan, given) in enumerate(zip(plans, inputs, strict=True))
    ]


def check_on_core(
    cases: Sequence[Case],
    name: str,
    tool: str,
    folder: Path,
    machine: str | None = None,
    debug: bool = False,
) -> EmulatedRun:
    """The run, when every output is what the graph computes in Python."""
    core = CORES[name]
    elf = link_cases(cases, core, toolchain(tool), folder, debug)
    run = emulator(machine or emulators_of(core)[0]).run(elf, core)
    for case, (outputs, _) in zip(cases, read_outputs(cases, run.output), strict=True):
        for found, wanted in zip(outputs, outputs_of(case.graph, case.inputs), strict=True):
            assert np.array_equal(found, wanted), f"{name} {tool}\n{plan_text(case.emitted.plan)}"
    return run
