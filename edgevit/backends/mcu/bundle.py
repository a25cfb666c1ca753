"""What an exported folder holds for a microcontroller, written and read back: the integer graph, its plan, the C sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.backends.mcu.board.weights import C_ARRAY, WeightsForm
from edgevit.backends.mcu.cores import CORES, Core
from edgevit.backends.mcu.emit import Emitted
from edgevit.backends.mcu.firmware import FILES, emitted_for, write_firmware
from edgevit.backends.mcu.schedule.plan import Plan
from edgevit.backends.mcu.schedule.search import planned
from edgevit.errors import PackageError
from edgevit.integer.file import load_graph, save_graph
from edgevit.integer.graph import IntegerGraph
from edgevit.integer.ports import Port

GRAPH = "model.integer.safetensors"
FIRMWARE = "firmware"


@dataclass(frozen=True)
class Bundle:
    folder: Path  # of the C sources
    graph: IntegerGraph
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    core: Core
    plan: Plan
    weights: str  # their form

    def emitted(self) -> Emitted:
        return emitted_for(self.plan, self.weights)

    def quantized(self, tensors: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        return tuple(port.quantized(x) for port, x in zip(self.inputs, tensors, strict=True))

    def dequantized(self, integers: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        return tuple(port.dequantized(y) for port, y in zip(self.outputs, integers, strict=True))


def write_bundle(
    directory: Path,
    graph: IntegerGraph,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    core: Core,
    plan: Plan,
    weights: WeightsForm = C_ARRAY,
) -> Emitted:
    more = {
        "core": core.name,
        "kept": sorted(name for walk in plan.walks for name in walk.loop.kept),
        "tile": plan.tile,
        "weights": weights.form,
        "inputs": [port.as_dict() for port in inputs],
        "outputs": [port.as_dict() for port in outputs],
    }
    save_graph(graph, directory / GRAPH, more)
    return write_firmware(plan, directory / FIRMWARE, core, weights)


def read_bundle(directory: Path) -> Bundle:
    """Raises `PackageError` where the sources are not those of the graph."""
    graph, more = load_graph(directory / GRAPH)
    core = CORES[more["core"]]
    plan = planned(graph, core, frozenset(more["kept"]), more["tile"])
    inputs, outputs = (
        tuple(Port.of(entry) for entry in more[key]) for key in ("inputs", "outputs")
    )
    bundle = Bundle(directory / FIRMWARE, graph, inputs, outputs, core, plan, more["weights"])
    source = bundle.folder / f"{FILES}.c"
    if not source.is_file() or source.read_text() != bundle.emitted().source:
        raise PackageError(
            "the C sources are not those of the integer graph",
            where=str(source),
            why="the file was changed, or this edgevit writes other code than the one that wrote it",
            hint="export the model again",
        )
    return bundle
