"""Exported folder for a microcontroller, written and read back.

It holds the integer graph, its plan and the C sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.mcu.board.weights import C_ARRAY, FORMS, WeightsForm
from edgevit.backends.mcu.codegen.emit import Emitted
from edgevit.backends.mcu.codegen.firmware import FILES, emitted_for, write_firmware
from edgevit.backends.mcu.cores import CORES, Core
from edgevit.backends.mcu.schedule.loops import NoLoopError
from edgevit.backends.mcu.schedule.plan import Schedule
from edgevit.backends.mcu.schedule.search import planned
from edgevit.errors import PackageError
from edgevit.integer import (
    VALUE_SHAPE,
    ExitCheck,
    IntegerGraph,
    Port,
    Value,
    load_graph,
    save_graph,
)
from edgevit.support.shape import Flag, Listing, ShapeError, Table, Text, WholeNumber, require_shape

GRAPH = "model.integer.safetensors"
FIRMWARE = "firmware"
_AXES = Listing(WholeNumber(0, 1 << 31), most=16)
_PORT = Table({"value": VALUE_SHAPE, "shape": _AXES, "order": _AXES})
_MORE = Table(
    {
        "core": Text(tuple(CORES)),
        "kept": Listing(Text()),
        "tile": WholeNumber(1, 1 << 16),
        "strip": WholeNumber(1, 1 << 16),
        "seam": WholeNumber(0, 1 << 31),
        "weights": Text(FORMS),
        "inputs": Listing(_PORT),
        "outputs": Listing(_PORT),
        "exits": Flag(),
    },
    # Folders of before have one row to a step, an arena in one region, and no exits.
    optional=("strip", "seam", "exits"),
)


@dataclass(frozen=True)
class Bundle:
    folder: Path  # of the C sources
    graph: IntegerGraph
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    core: Core
    plan: Schedule
    weights: str  # their form
    has_exits: bool = False

    @property
    def exits(self) -> tuple[ExitCheck, ...]:
        """Return the checks of all exits but the last."""
        return tuple(map(ExitCheck.of, self.outputs[:-1])) if self.has_exits else ()

    def emitted(self) -> Emitted:
        return emitted_for(self.plan, self.weights, self.exits)

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
    plan: Schedule,
    weights: WeightsForm = C_ARRAY,
    has_exits: bool = False,
) -> Emitted:
    more = {
        "core": core.name,
        "kept": sorted(name for walk in plan.walks for name in walk.loop.kept),
        "tile": plan.tile,
        "strip": plan.strip,
        "seam": plan.seam,
        "weights": weights.form,
        "inputs": [port.as_dict() for port in inputs],
        "outputs": [port.as_dict() for port in outputs],
        "exits": has_exits,
    }
    save_graph(graph, directory / GRAPH, more)
    exits = tuple(map(ExitCheck.of, outputs[:-1])) if has_exits else ()
    return write_firmware(plan, directory / FIRMWARE, core, weights, exits)


def _ports(
    entries: Sequence[dict[str, Any]], values: Sequence[Value], scaled: bool = False
) -> tuple[Port, ...]:
    """Read the ports and check them against the graph.

    Each port is a value of the graph, and its axes are torch's in another order. With `scaled`, a port may have a scale
    of its own: a factor at the end of a network is no operation.
    """
    ports = tuple(Port.of(entry) for entry in entries)
    stated = [replace(port.value, scale=1.0) if scaled else port.value for port in ports]
    if stated != [replace(value, scale=1.0) if scaled else value for value in values]:
        raise ShapeError("", "its ports are not the inputs and outputs of its graph")
    for port in ports:
        axes = list(range(len(port.shape)))
        if sorted(port.order) != axes or prod(port.shape) != port.value.size:
            raise ShapeError(port.value.name, "its shape and order are not those of its value")
    return ports


def read_bundle(directory: Path) -> Bundle:
    """Read an exported folder.

    Raise `PackageError` if the C sources are not those of the graph.
    """
    graph, more = load_graph(directory / GRAPH)
    try:
        require_shape(more, _MORE)
        core = CORES[more["core"]]
        strip, seam = more.get("strip", 1), more.get("seam", 0)
        plan = planned(graph, core, frozenset(more["kept"]), more["tile"], strip, seam)
        inputs = _ports(more["inputs"], graph.inputs)
        outputs = _ports(more["outputs"], graph.outputs, scaled=True)
    except (
        ShapeError,
        NoLoopError,
        KeyError,
    ) as error:  # KeyError: a loop over no operation of the graph
        raise PackageError(
            "the integer graph cannot be read",
            where=str(directory / GRAPH),
            why=str(error),
            hint="export the model again",
        ) from error
    bundle = Bundle(
        directory / FIRMWARE,
        graph,
        inputs,
        outputs,
        core,
        plan,
        more["weights"],
        more.get("exits", False),
    )
    source = bundle.folder / f"{FILES}.c"
    if not source.is_file() or source.read_text() != bundle.emitted().source:
        raise PackageError(
            "the C sources are not those of the integer graph",
            where=str(source),
            why="the file was changed, or this edgevit writes other code than the one that wrote it",
            hint="export the model again",
        )
    return bundle
