"""Run exported firmware on an emulated core: bit-exactness to the integer model, and its cost."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.execution import Execution, FirmwareMemory, LayerCount
from edgevit.backends.mcu.codegen.emit import Emitted, Layer
from edgevit.backends.mcu.codegen.firmware import MODEL, STACK, link_firmware
from edgevit.backends.mcu.codegen.test_main_template import (
    Case,
    main_template,
    poked_inputs,
    read_outputs,
)
from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.emulator import emulator, emulators_of
from edgevit.backends.mcu.run.elf import Elf, read_elf
from edgevit.backends.mcu.run.slow_products import slow_because
from edgevit.backends.mcu.schedule.plan import Schedule
from edgevit.backends.mcu.toolchain import toolchain
from edgevit.integer import IntegerGraph, calls_of

_CALLS = 6  # of a sequence that is compared: each takes over the states of the one before


def execute(
    folder: Path,
    graph: IntegerGraph,
    emitted: Emitted,
    inputs: tuple[np.ndarray, ...],
    core: Core,
    tool_name: str = "zig",
    emulator_name: str | None = None,
) -> Execution:
    """Compile the folder's sources, run them on an emulated core and compare the outputs.

    `emitted` is what was written to the folder. A network with states is run in a sequence of calls as well, whose
    outputs have to be equal; costs are those of its first call.
    """
    case = Case(MODEL, graph, emitted, graph.passed(inputs))
    tool = toolchain(tool_name)
    machine = emulator(emulator_name or emulators_of(core)[0])
    regions = [function for layer in emitted.layers for function in layer.functions]
    with tempfile.TemporaryDirectory(prefix="edgevit-run-") as work:
        program = link_firmware(folder, main_template([case], poked=True), core, tool, Path(work))
        run = machine.run(program, core, inputs=poked_inputs([case]), regions=regions)
        elf = read_elf(program)
        outputs, match = _compared(case, run.output)
        if graph.states:
            case = replace(case, more=tuple(_other(case.inputs, k) for k in range(1, _CALLS)))
            program = link_firmware(
                folder, main_template([case], poked=True), core, tool, Path(work)
            )
            output = machine.run(program, core, inputs=poked_inputs([case])).output
            match &= _compared(case, output)[1]
    layers = tuple(_cost(layer, run.by_region, core, emitted.plan) for layer in emitted.layers)
    memory = _memory(elf, emitted, case, run.stack_bytes)
    return Execution(
        core.name,
        tool.version(core),
        run.emulator,
        run.instructions,
        layers,
        memory,
        match,
        outputs,
        round(run.instructions * core.cycles_per_instruction),
    )


def _compared(case: Case, emitted: bytes) -> tuple[tuple[np.ndarray, ...], bool]:
    """Return the outputs of the first call, and whether those of all calls are what the integer model computes."""
    graph = case.graph
    calls = [outputs for outputs, _ in read_outputs([case], emitted)]
    expected = calls_of(graph, case.calls)
    shown = [graph.returned(outputs) for outputs in expected]
    pairs = [pair for a, b in zip(calls, shown, strict=True) for pair in zip(a, b, strict=True)]
    return calls[0], all(np.array_equal(a, b) for a, b in pairs)


def _other(inputs: Sequence[np.ndarray], call: int) -> tuple[np.ndarray, ...]:
    """Return other numbers of all sizes, whatever the first inputs are."""
    steps = (call * (1 + np.arange(data.size)).reshape(data.shape) for data in inputs)
    return tuple((data + step).astype(data.dtype) for data, step in zip(inputs, steps, strict=True))


def _cost(layer: Layer, counts: Any, core: Core, plan: Schedule) -> LayerCount:
    op, instructions = layer.op, sum(counts.get(function, 0) for function in layer.functions)
    why = slow_because(layer, instructions, core, plan)
    return LayerCount(
        op.name,
        op.origin.module,
        op.origin.source,
        op.kind,
        layer.kernels,
        instructions,
        op.macs(),
        bool(why),
        why,
    )


def _memory(elf: Elf, emitted: Emitted, case: Case, stack: int) -> FirmwareMemory:
    arena = emitted.plan.size
    theirs = sum(data.nbytes for data in case.inputs) + elf.symbol("result").size
    static = elf.ram_bytes - STACK - theirs - elf.symbol("arena").size
    return FirmwareMemory(arena + max(static, 0) + stack, arena, stack, elf.flash_bytes)
