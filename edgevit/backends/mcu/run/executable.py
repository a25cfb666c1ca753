"""A bundle on disk, executed on an emulated core or by its integer model."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.backends.artifact import Artifact
from edgevit.backends.execution import Emulation, Execution
from edgevit.backends.mcu.bundle import FIRMWARE, GRAPH, Bundle, read_bundle
from edgevit.backends.mcu.codegen.firmware import write_firmware
from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.run.execute import execute
from edgevit.backends.mcu.schedule.search import planned
from edgevit.backends.on_host import Run, over_tensors
from edgevit.errors import PackageError, UsageError, suggest
from edgevit.integer import calls_of, outputs_of


def open_executable(folder: Path) -> ExecutableBundle:
    if not (folder / GRAPH).is_file():
        raise PackageError(
            f"{GRAPH} is missing",
            where=str(folder),
            why="it is the integer model of the firmware",
            hint="export the model again",
        )
    return ExecutableBundle(read_bundle(folder))


def open_interpreter(artifact: Artifact) -> Run:
    """Return the integer model, which is what the firmware computes."""
    return over_tensors(open_executable(artifact.path.parent).simulate)


@dataclass(frozen=True)
class ExecutableBundle:
    bundle: Bundle

    @property
    def core(self) -> str:
        return self.bundle.core.name

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(port.shape for port in self.bundle.graph.passed(self.bundle.inputs))

    @property
    def takes_pixels(self) -> bool:
        return self.bundle.inputs[0].takes_pixels

    def execute(self, inputs: Sequence[np.ndarray], how: Emulation) -> Execution:
        """Run the bundle.

        For a core other than the folder's, code is generated from the same integer graph and plan.
        """
        bundle, quantized = self.bundle, self.bundle.quantized(list(inputs))
        tools = (how.toolchain, how.emulator)
        if how.core is None or how.core == bundle.core.name:
            emitted = bundle.emitted()
            return execute(bundle.folder, bundle.graph, emitted, quantized, bundle.core, *tools)
        if how.core not in CORES:
            raise UsageError(
                f"no core is called `{how.core}`",
                where="--core",
                why=f"there are {', '.join(CORES)}",
                hint=suggest(how.core, CORES) or "leave it out for the core of the target",
            )
        core = CORES[how.core]
        whole = frozenset(name for walk in bundle.plan.walks for name in walk.loop.kept)
        plan = planned(bundle.graph, core, whole, bundle.plan.tile, bundle.plan.strip)
        with tempfile.TemporaryDirectory(prefix="edgevit-") as work:
            folder = Path(work) / FIRMWARE
            emitted = write_firmware(plan, folder, core)
            return execute(folder, bundle.graph, emitted, quantized, core, *tools)

    def simulate(self, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Compute one call. Without states among the inputs it is the first of a sequence, whose states are zero."""
        bundle, graph = self.bundle, self.bundle.graph
        if len(inputs) == len(bundle.inputs):
            return bundle.dequantized(outputs_of(graph, bundle.quantized(list(inputs))))
        pairs = zip(graph.passed(bundle.inputs), inputs, strict=True)
        (outputs,) = calls_of(graph, [[port.quantized(x) for port, x in pairs]])
        return bundle.dequantized(outputs)
