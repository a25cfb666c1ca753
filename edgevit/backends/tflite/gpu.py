"""LiteRT's GPU delegate on this machine: what it takes of a file, what it computes, how long it takes.

It is the delegate of phones, by WebGPU: on Linux it needs a Vulkan driver. Where there is none, the
software one that comes with Chromium computes the same; its times are not a GPU's.
"""

from __future__ import annotations

import ctypes.util
import json
import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.errors import BackendRuntimeError, MissingToolError
from edgevit.support.python import module_command, module_environment

_SOFTWARE = ("/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome")
_ICD = "vk_swiftshader_icd.json"
_ADAPTER = re.compile(r"Selected adapter: (.+?), arch=.*adapterType=(.+)$", re.MULTILINE)
_SHARE = re.compile(
    r"(\d+) operations will run on the GPU, and the remaining (\d+) operations will run on the CPU"
)
_REFUSED = re.compile(
    r"^ERROR: Following operations are not supported by GPU delegate:\n(.*?)^\d+ operations",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class GpuRun:
    """Result of a file on the GPU. `refused` counts ops by name and reason."""

    seconds: tuple[float, ...]
    outputs: tuple[np.ndarray, ...]
    adapter: str
    software: bool
    on_cpu: int
    refused: Counter[str]


def run_on_gpu(path: Path, inputs: Sequence[np.ndarray], runs: int, limit: float) -> GpuRun:
    """Run the file in a process of its own. Raises an `EdgevitError` if there is no GPU, or it fails."""
    with tempfile.TemporaryDirectory(prefix="edgevit-gpu-") as name:
        folder = Path(name)
        np.savez(folder / "inputs.npz", *inputs)
        log = _log_of(path, folder, runs, limit)
        with np.load(folder / "outputs.npz", allow_pickle=False) as file:
            outputs = tuple(file[f"arr_{index}"] for index in range(len(file.files)))
        seconds = tuple(json.loads((folder / "seconds.json").read_text()))
    adapter = _ADAPTER.search(log)
    share = _SHARE.search(log)
    return GpuRun(
        seconds,
        outputs,
        adapter[1] if adapter else "an unnamed GPU",
        adapter is not None and "Software" in adapter[2],
        int(share[2]) if share else 0,
        _refused(log),
    )


def _log_of(path: Path, folder: Path, runs: int, limit: float) -> str:
    words = module_command("edgevit.backends.tflite.gpu_main", str(path), str(folder), str(runs))
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            env=module_environment(**_driver()),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BackendRuntimeError(
            f"{path.name} hangs on the GPU",
            where=str(path),
            why=f"no answer in {limit:g} s; it was killed",
            hint="--limit gives it longer",
        ) from error
    log = done.stderr + done.stdout
    if "No adapters found" in log:
        raise MissingToolError(
            "LiteRT finds no GPU here",
            where=str(path),
            why="its delegate needs a Vulkan driver, on Linux",
            hint="apt-get install mesa-vulkan-drivers, or chromium, which brings one in software",
        )
    if done.returncode != 0 or not (folder / "seconds.json").is_file():
        raise BackendRuntimeError(
            f"{path.name} does not run on the GPU",
            where=str(path),
            why=_last_words(log) or f"it ended with {done.returncode}",
            hint="profile it without --on: on the CPU",
        )
    return log


def _driver() -> dict[str, str]:
    """Return the variables that lead to a software driver, where the system has no Vulkan."""
    chosen = {"VK_ICD_FILENAMES", "VK_DRIVER_FILES"} & set(os.environ)
    folder = next((place for place in _SOFTWARE if Path(place, _ICD).is_file()), None)
    if chosen or folder is None or ctypes.util.find_library("vulkan"):
        return {}
    libraries = os.pathsep.join([folder, *os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)])
    return {"VK_ICD_FILENAMES": f"{folder}/{_ICD}", "LD_LIBRARY_PATH": libraries.rstrip(os.pathsep)}


def _refused(log: str) -> Counter[str]:
    match = _REFUSED.search(log)
    lines = match[1].splitlines() if match else []
    return Counter(_reason(line) for line in lines if ": " in line)


def _reason(line: str) -> str:
    """Return `OP: reason` without the names of tensors that may follow the sentence."""
    op, _, why = line.partition(": ")
    return f"{op}: {why.partition('. ')[0].rstrip('.')}"


def _last_words(log: str) -> str:
    lines = [line for line in log.splitlines() if "ERROR" in line or "Error" in line]
    return lines[-1].strip()[:400] if lines else ""
