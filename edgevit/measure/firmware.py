"""`edgevit run` and `edgevit simulate`: firmware on an emulated core, its integer model here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends import Emulation, Executable, Execution, OpenExecutable
from edgevit.errors import UsageError
from edgevit.exported import load_golden, read_manifest, require_ours, require_untouched
from edgevit.frontend import NoArraysError, read_arrays
from edgevit.quantize import why_no_pixels
from edgevit.support.backend_info import info_of


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
    """Run firmware on its golden input, on an emulated core, by default the target's."""
    folder = Path(directory)
    require_ours(folder, read_manifest(folder), trust)
    executable = executable_of(folder)
    inputs = [tensor.numpy() for tensor in load_golden(folder)[0]]
    return executable.execute(inputs, Emulation(core, toolchain, emulator))


def simulate_firmware(
    directory: str | Path, input_file: str | None, output: str | None
) -> Simulated:
    folder = Path(directory)
    executable = executable_of(folder)
    inputs = [tensor.numpy() for tensor in load_golden(folder)[0]]
    if input_file is not None:
        inputs = [_read(Path(input_file), executable)]
    outputs = executable.simulate(inputs)
    if output is not None:
        np.savez(output, *outputs)
    return Simulated(outputs)


def executable_of(folder: Path) -> Executable:
    """Open an export whose artifact runs on an emulated core, as it was written."""
    manifest = read_manifest(folder)
    require_untouched(folder, manifest)
    info = info_of(manifest["format"])
    if info.executable is None:
        raise UsageError(
            f"{folder} is no firmware",
            where=str(folder),
            why=f"it was exported as {manifest['format']}",
            hint=f"edgevit profile {folder}",
        )
    open_executable: OpenExecutable = info.part(info.executable)
    return open_executable(folder)


def _read(path: Path, executable: Executable) -> np.ndarray:
    array = _numbers(path)
    if executable.shapes != (array.shape,):
        shapes = " and ".join("x".join(map(str, shape)) for shape in executable.shapes)
        raise UsageError(
            f"the model takes {shapes}, not {'x'.join(map(str, array.shape))}",
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
    if executable.takes_pixels and (why := why_no_pixels(array)):
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
