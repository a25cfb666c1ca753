"""`edgevit run` and `edgevit simulate`: firmware on an emulated core, its integer model here."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.mcu.bundle import GRAPH, Bundle, read_bundle
from edgevit.backends.mcu.codegen.firmware import write_firmware
from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.run.execute import Execution, execute
from edgevit.backends.mcu.schedule.search import planned
from edgevit.errors import PackageError, UsageError, suggest
from edgevit.exported.golden import load_golden
from edgevit.exported.manifest import read_manifest, require_ours, require_untouched
from edgevit.frontend.array_file import NoArraysError, read_arrays
from edgevit.integer.simulate import outputs_of
from edgevit.quantize.encoding import why_no_pixels
from edgevit.support.backend_info import firmware_formats


@dataclass(frozen=True)
class Simulated:
    """Dequantised outputs of the integer model."""

    outputs: tuple[np.ndarray, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"outputs": [output.tolist() for output in self.outputs]}

    def __str__(self) -> str:
        rows = []
        for index, output in enumerate(self.outputs):
            shown = np.array2string(output.ravel()[:8], precision=4)
            sizes = "x".join(map(str, output.shape))
            rows.append(f"output {index} [{sizes}] largest at {int(output.argmax())}: {shown}")
        return "\n".join(rows)


def run_firmware(
    directory: str | Path,
    core: str | None,
    toolchain: str,
    emulator: str | None,
    *,
    trust: bool = False,
) -> Execution:
    """Run firmware on its golden input, on an emulated core.

    For a core other than the folder's, code is generated from the same integer graph and plan.
    """
    folder = Path(directory)
    require_ours(folder, read_manifest(folder), trust)
    bundle = bundle_of(folder)
    inputs = bundle.quantized([tensor.numpy() for tensor in load_golden(folder)[0]])
    if core is None or core == bundle.core.name:
        emitted, chosen = bundle.emitted(), bundle.core
        return execute(bundle.folder, bundle.graph, emitted, inputs, chosen, toolchain, emulator)
    if core not in CORES:
        raise UsageError(f"no core is called `{core}`", hint=suggest(core, CORES))
    kept = frozenset(name for walk in bundle.plan.walks for name in walk.loop.kept)
    plan = planned(bundle.graph, CORES[core], kept, bundle.plan.tile)
    with tempfile.TemporaryDirectory(prefix="edgevit-") as work:
        emitted = write_firmware(plan, Path(work) / "firmware", CORES[core])
        return execute(
            Path(work) / "firmware", bundle.graph, emitted, inputs, CORES[core], toolchain, emulator
        )  # fmt: skip


def simulate_firmware(directory: str | Path, given: str | None, output: str | None) -> Simulated:
    folder = Path(directory)
    bundle = bundle_of(folder)
    tensors = [tensor.numpy() for tensor in load_golden(folder)[0]]
    if given is not None:
        tensors = [_read(Path(given), bundle)]
    found = bundle.dequantized(outputs_of(bundle.graph, bundle.quantized(tensors)))
    if output is not None:
        np.savez(output, *found)
    return Simulated(found)


def bundle_of(folder: Path) -> Bundle:
    manifest = read_manifest(folder)
    require_untouched(folder, manifest)
    if manifest["format"] not in firmware_formats():
        raise UsageError(
            f"{folder} is no firmware",
            why=f"it was exported as {manifest['format']}",
            hint=f"edgevit profile {folder}",
        )
    if not (folder / GRAPH).is_file():
        raise PackageError(f"{GRAPH} is missing", where=str(folder), hint="export the model again")
    return read_bundle(folder)


def _read(path: Path, bundle: Bundle) -> np.ndarray:
    array = _numbers(path)
    if len(bundle.inputs) != 1 or array.shape != bundle.inputs[0].shape:
        wanted = " and ".join("x".join(map(str, port.shape)) for port in bundle.inputs)
        raise UsageError(
            f"the model takes {wanted}, not {'x'.join(map(str, array.shape))}",
            where=str(path),
            why="an input is one array of just that shape",
            hint="np.save(path, array) of that shape",
        )
    if not np.isfinite(array).all():
        raise UsageError(
            "the input has NaN or infinite values",
            where=str(path),
            why="they have no place in 8 bits",
            hint="give finite float32 numbers",
        )
    if bundle.inputs[0].takes_pixels and (why := why_no_pixels(array)):
        raise UsageError(
            "the model takes pixels of 0 to 255, and these are none",
            where=str(path),
            why=why,
            hint="give pixels: preprocessing is part of the firmware",
        )
    return array


def _numbers(path: Path) -> np.ndarray:
    try:
        arrays = list(read_arrays(path).values())
        if len(arrays) != 1 or arrays[0].dtype.kind not in "fiu":
            kinds = ", ".join(str(array.dtype) for array in arrays) or "nothing"
            raise NoArraysError(f"it holds {kinds}, and not one array of numbers")
    except NoArraysError as reason:
        raise UsageError(
            "the input cannot be read",
            where=str(path),
            why=str(reason),
            hint="np.save(path, array)",
        ) from reason
    with np.errstate(over="ignore"):  # refuse values that overflow
        return arrays[0].astype(np.float32)
