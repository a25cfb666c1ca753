"""Board bundle: everything beside a network's C that it takes to build, test and flash it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.backends.mcu.board.build_files import Build, write_build_files
from edgevit.backends.mcu.board.golden import golden_header, golden_source
from edgevit.backends.mcu.board.layout import BoardLayout, layout, static_bytes
from edgevit.backends.mcu.board.linker import linker_script
from edgevit.backends.mcu.board.memory_map import draw_memory
from edgevit.backends.mcu.board.port import port_of, write_port
from edgevit.backends.mcu.board.weights import WeightsForm, write_reader
from edgevit.backends.mcu.codegen.emit import Emitted
from edgevit.backends.mcu.codegen.firmware import FILES
from edgevit.backends.mcu.cores import Core
from edgevit.integer import calls_of
from edgevit.support.resources import data_dir
from edgevit.targets import Target

CALLS = 2  # of the self-test, where each takes over states from the one before


@dataclass(frozen=True)
class Board:
    target: Target
    core: Core
    where: BoardLayout
    build: Build
    weights_bytes: int
    buffer: int  # of RAM, for weights that are streamed

    def as_dict(self) -> dict[str, object]:
        """Return the facts of the board for edgevit.json, which the README is written from."""
        build, where = self.build, self.where
        places = {"code": where.code, "arena": where.arena, "variables and stack": where.data}
        address = build.weights.address
        if address is None and not build.weights.is_streamed:
            places["weights"] = where.weights
        return {
            "title": self.target.title,
            "core": self.core.title,
            "port": build.port.board,
            "toolchain": build.default_toolchain,
            "gcc": f"{build.gcc_prefix}gcc",
            "output": build.default_output,
            "weights": build.weights.form,
            "weights_bytes": self.weights_bytes,
            "weights_address": address,
            "weights_buffer": self.buffer,
            "regions": {
                what: f"{region.name} ({region.kind}, {region.size:,} bytes at {region.base:#010x})"
                for what, region in places.items()
            },
            **({"run": "make run"} if self.target.emulator else {}),
        }


def write_board(
    folder: Path,
    emitted: Emitted,
    golden: Sequence[Sequence[np.ndarray]],
    target: Target,
    core: Core,
    weights: WeightsForm,
) -> Board:
    """Write port, linker script, self-test, build files and memory chart of the board.

    `golden` are the inputs of each call of the self-test, as integers, the same in all.
    """
    graph = emitted.plan.net.graph
    calls = [graph.returned(outputs) for outputs in calls_of(graph, golden)]
    outputs = calls[0]
    buffer = max((size for _, size in emitted.pages), default=0)
    bytes_out = sum(data.nbytes for data in outputs) + buffer
    static = static_bytes(bytes_out, len(emitted.layers))
    # A binary is not linked; it lies where it was said to.
    linked = 0 if weights.form == "binary" else len(emitted.weights)
    where = layout(target, emitted.plan.size, linked, static, emitted.plan.seam)
    port = port_of(target, core)
    write_port(port, folder / "port")
    (folder / "port" / "board.ld").write_text(linker_script(target, where, port.sections))
    _write_selftest(folder / "selftest", emitted, golden[0], calls)
    if weights.is_streamed:
        write_reader(folder / "selftest")
    sources = (f"{FILES}.c", *(f"kernels/{Path(source).name}" for source in emitted.kernels))
    build = Build(graph.name, target, core, port, sources, weights)
    write_build_files(build, folder)
    draw_memory(emitted.plan, folder)
    return Board(target, core, where, build, len(emitted.weights), buffer)


def _write_selftest(
    folder: Path,
    emitted: Emitted,
    inputs: Sequence[np.ndarray],
    calls: Sequence[Sequence[np.ndarray]],
) -> None:
    source = data_dir("kernels") / "selftest"
    folder.mkdir()
    template = (source / "ev_golden.h").read_text()
    (folder / "ev_golden.h").write_text(golden_header(template, inputs, calls, emitted.weights))
    (folder / "ev_golden.c").write_text(golden_source(inputs, calls))
    shutil.copy(source / "selftest.c", folder)
