"""Run exported firmware on an emulated core: bit-exactness to the integer model, and its cost."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.mcu.codegen.emit import Emitted, Layer
from edgevit.backends.mcu.codegen.firmware import MODEL, STACK, link_firmware
from edgevit.backends.mcu.codegen.harness import Case, harness, poked_inputs, read_outputs
from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.emulator import emulator, emulators_of
from edgevit.backends.mcu.run.elf import Elf, read_elf
from edgevit.backends.mcu.toolchain import toolchain
from edgevit.integer.graph import IntegerGraph
from edgevit.integer.simulate import outputs_of


@dataclass(frozen=True)
class LayerCost:
    name: str
    kind: str
    kernels: tuple[str, ...]
    instructions: int
    macs: int


@dataclass(frozen=True)
class Memory:
    """Memory in bytes.

    `ram` is the arena, everything static and the stack as it was used; the caller's input and
    output are not in it.
    """

    ram: int
    arena: int
    stack: int
    flash: int


@dataclass(frozen=True)
class Execution:
    core: str
    toolchain: str
    emulator: str
    instructions: int
    layers: tuple[LayerCost, ...]
    memory: Memory
    golden_match: bool
    outputs: tuple[np.ndarray, ...]

    def as_dict(self) -> dict[str, Any]:
        memory = {f"{name}_bytes": size for name, size in vars(self.memory).items()}
        layers = [{**vars(layer), "kernels": list(layer.kernels)} for layer in self.layers]
        return {
            "core": self.core,
            "toolchain": self.toolchain,
            "emulator": self.emulator,
            "instructions": self.instructions,
            "per_layer": layers,
            "memory": memory,
            "golden_match": self.golden_match,
        }


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

    `emitted` is what was written to the folder.
    """
    case = Case(MODEL, graph, emitted, inputs)
    tool = toolchain(tool_name)
    machine = emulator(emulator_name or emulators_of(core)[0])
    regions = [function for layer in emitted.layers for function in layer.functions]
    with tempfile.TemporaryDirectory(prefix="edgevit-run-") as work:
        program = link_firmware(folder, harness([case], poked=True), core, tool, Path(work))
        run = machine.run(program, core, inputs=poked_inputs([case]), regions=regions)
        elf = read_elf(program)
    ((outputs, _),) = read_outputs([case], run.output)
    expected = outputs_of(graph, inputs)
    match = all(np.array_equal(a, b) for a, b in zip(outputs, expected, strict=True))
    layers = tuple(_cost(layer, run.by_region) for layer in emitted.layers)
    memory = _memory(elf, emitted, case, run.stack_bytes)
    return Execution(
        core.name, tool.version(core), run.emulator, run.instructions, layers, memory, match, outputs
    )  # fmt: skip


def _cost(layer: Layer, counts: Any) -> LayerCost:
    op = layer.op
    return LayerCost(
        op.name,
        op.kind,
        layer.kernels,
        sum(counts.get(function, 0) for function in layer.functions),
        op.macs(),
    )


def _memory(elf: Elf, emitted: Emitted, case: Case, stack: int) -> Memory:
    arena = emitted.plan.size
    theirs = sum(data.nbytes for data in case.inputs) + elf.symbol("result").size
    static = elf.ram_bytes - STACK - theirs - elf.symbol("arena").size
    return Memory(arena + max(static, 0) + stack, arena, stack, elf.flash_bytes)


def execution_text(execution: Execution, longest: int = 20) -> str:
    """Return the execution as text, the most expensive layers first."""
    memory = execution.memory
    dear = sorted(execution.layers, key=lambda layer: -layer.instructions)[:longest]
    rows = [
        f"{execution.core}, {execution.toolchain}, {execution.emulator}",
        f"  emulated   {execution.instructions:,} instructions",
        f"  RAM        {memory.ram:,} bytes: arena {memory.arena:,}, stack {memory.stack:,}, the rest static",
        f"  flash      {memory.flash:,} bytes",
        f"  golden     {'equal, bit for bit' if execution.golden_match else 'NOT EQUAL to the integer model'}",
        "",
        *_table(dear),
    ]
    left = len(execution.layers) - len(dear)
    return "\n".join(rows + ([f"  ... and {left} more"] if left > 0 else []))


def _table(layers: Sequence[LayerCost]) -> list[str]:
    head = "  layer                                   kind          instructions      MACs  per MAC"
    rows = [
        f"  {layer.name[-38:]:<38}  {layer.kind:<12} {layer.instructions:13,} {layer.macs:9,}"
        + (f"  {layer.instructions / layer.macs:7.3f}" if layer.macs else "")
        for layer in layers
    ]
    return [head, *rows]
