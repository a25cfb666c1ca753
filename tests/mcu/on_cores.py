"""Emitted C on an emulated core, compiled by one toolchain: the same cases as on the host, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.emit import emit
from edgevit.backends.mcu.emulator import Run, emulator, emulators_of
from edgevit.backends.mcu.firmware import link_cases
from edgevit.backends.mcu.harness import Case, read_outputs
from edgevit.backends.mcu.schedule.simple import simple_plan
from edgevit.backends.mcu.toolchain import toolchain
from edgevit.integer.graph import IntegerGraph
from edgevit.integer.simulate import outputs_of

Single = tuple[IntegerGraph, tuple[np.ndarray, ...]]


def check_on_core(
    singles: Sequence[Single], name: str, tool: str, folder: Path, machine: str | None = None
) -> tuple[Run, list[Case]]:
    core = CORES[name]
    cases = [
        Case(f"net{i}", graph, emit(simple_plan(graph, core), f"net{i}"), inputs)
        for i, (graph, inputs) in enumerate(singles)
    ]
    elf = link_cases(cases, core, toolchain(tool), folder)
    regions = [
        function for case in cases for layer in case.emitted.layers for function in layer.functions
    ]
    run = emulator(machine or emulators_of(core)[0]).run(elf, core, regions=regions)
    for case, (outputs, _) in zip(cases, read_outputs(cases, run.output), strict=True):
        for found, wanted in zip(outputs, outputs_of(case.graph, case.inputs), strict=True):
            assert np.array_equal(found, wanted), f"{name} {tool}: {case.graph.ops}"
    return run, cases
