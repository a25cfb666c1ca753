"""Execution of an artifact on an emulated core: its cost, layer by layer, and its outputs.

A backend whose artifacts are firmware names an `open_executable` in its `BackendInfo`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class LayerCount:
    name: str
    module: str  # of the user's model
    source: str  # its line
    kind: str
    kernels: tuple[str, ...]
    instructions: int
    macs: int
    slow: bool = False  # a product with more instructions a MAC than the core's kernels take where they run well
    slow_because: str = ""


@dataclass(frozen=True)
class FirmwareMemory:
    """Memory in bytes.

    `ram` is the arena, everything static and the stack as it was used; the caller's input and
    output are not in it.
    """

    ram: int
    arena: int
    stack: int
    flash: int


@dataclass(frozen=True)
class ExitLogits:
    """What one exit computes, and its largest softmax as the firmware tells it."""

    logits: np.ndarray
    confidence: float


@dataclass(frozen=True)
class EarlyRun:
    """A run that stopped at an exit. `taken` counts from 0."""

    taken: int
    logits: np.ndarray
    instructions: int


class EarlyExecutable(Protocol):
    """Firmware of a model with exits, exported. Its thresholds are of the largest softmax."""

    def exits(self, inputs: Sequence[np.ndarray]) -> tuple[ExitLogits, ...]: ...
    def emulated(
        self,
    ) -> AbstractContextManager[Callable[[Sequence[np.ndarray], Sequence[float]], EarlyRun]]: ...
    def header(self, thresholds: Sequence[float]) -> str: ...


@dataclass(frozen=True)
class Execution:
    core: str
    toolchain: str
    emulator: str
    instructions: int
    layers: tuple[LayerCount, ...]
    memory: FirmwareMemory
    golden_match: bool
    outputs: tuple[np.ndarray, ...]
    predicted_cycles: int  # to first order, by the core; what a board says is measured

    def as_dict(self) -> dict[str, Any]:
        memory = {f"{name}_bytes": size for name, size in vars(self.memory).items()}
        layers = [{**vars(layer), "kernels": list(layer.kernels)} for layer in self.layers]
        return {
            "core": self.core,
            "toolchain": self.toolchain,
            "emulator": self.emulator,
            "instructions": self.instructions,
            "predicted_cycles": self.predicted_cycles,
            "per_layer": layers,
            "memory": memory,
            "golden_match": self.golden_match,
        }


@dataclass(frozen=True)
class Emulation:
    """Core and tools of an execution. None: the core of the target, the first emulator that can."""

    core: str | None = None
    toolchain: str = "zig"
    emulator: str | None = None


class Executable(Protocol):
    """An exported folder, read from disk. Its files are checked against the manifest before."""

    @property
    def core(self) -> str:
        """Return the core of the target."""
        ...

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of the inputs."""
        ...

    @property
    def takes_pixels(self) -> bool: ...

    def execute(self, inputs: Sequence[np.ndarray], how: Emulation) -> Execution:
        """Compile the sources, run them on an emulated core and compare with `simulate`."""
        ...

    def simulate(self, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Compute the outputs, dequantised, on this machine."""
        ...


OpenExecutable = Callable[[Path], Executable]


def execution_text(execution: Execution, longest: int = 20) -> str:
    """Return the execution as text, the most expensive layers first."""
    memory = execution.memory
    dear = sorted(execution.layers, key=lambda layer: -layer.instructions)[:longest]
    rows = [
        f"{execution.core}, {execution.toolchain}, {execution.emulator}",
        f"  emulated   {execution.instructions:,} instructions",
        f"  predicted  {execution.predicted_cycles:,} cycles, where memory never waits",
        f"  RAM        {memory.ram:,} bytes: arena {memory.arena:,}, stack {memory.stack:,}, the rest static",
        f"  flash      {memory.flash:,} bytes",
        f"  golden     {'equal, bit for bit' if execution.golden_match else 'NOT EQUAL to the integer model'}",
        *_slow(execution.layers),
        "",
        *_table(dear),
    ]
    hidden = len(execution.layers) - len(dear)
    return "\n".join(rows + ([f"  ... and {hidden} more"] if hidden > 0 else []))


def _slow(layers: Sequence[LayerCount]) -> list[str]:
    """Name the products that use the core badly, by what makes them slow."""
    named: dict[str, list[str]] = {}
    for one in layers:
        if one.slow:
            told = f"{one.name} {one.instructions / one.macs:.1f}"
            named.setdefault(one.slow_because, []).append(told)
    head = ["  slow       instructions a MAC above the core's usual ones"] if named else []
    return head + [f"             {why}: {', '.join(those)}" for why, those in named.items()]


def _table(layers: Sequence[LayerCount]) -> list[str]:
    head = "  layer                                   kind          instructions      MACs  per MAC"
    rows = [
        f"  {layer.name[-38:]:<38}  {layer.kind:<12} {layer.instructions:13,} {layer.macs:9,}"
        + (f"  {layer.instructions / layer.macs:7.3f}" if layer.macs else "")
        for layer in layers
    ]
    return [head, *rows]
