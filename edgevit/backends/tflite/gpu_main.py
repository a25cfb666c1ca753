"""Process that runs a file with LiteRT's GPU delegate: FILE FOLDER RUNS.

Inputs are in FOLDER as `inputs.npz`; outputs and seconds are left there. What the delegate takes is told by its log.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.session import TensorSpec
from edgevit.backends.tflite.session import TFLiteSession


def main(path: Path, folder: Path, runs: int) -> None:
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator

    session = TFLiteSession(path, 1)  # knows names, shapes and types in the file's order
    units: Any = HardwareAccelerator.GPU | HardwareAccelerator.CPU
    model = CompiledModel.from_file(str(path), hardware_accel=units)
    key = model.get_signature_by_index(0)["key"]
    with np.load(folder / "inputs.npz", allow_pickle=False) as file:
        arrays = [file[f"arr_{index}"] for index in range(len(session.inputs))]
    taken = {
        spec.name: model.create_input_buffer_by_name(key, spec.name) for spec in session.inputs
    }
    results = {
        spec.name: model.create_output_buffer_by_name(key, spec.name) for spec in session.outputs
    }
    for spec, array in zip(session.inputs, arrays, strict=True):
        taken[spec.name].write(np.ascontiguousarray(array.astype(spec.dtype)).ravel())
    seconds = []
    outputs: list[np.ndarray] = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        model.run_by_name(key, taken, results)
        # Read at once: the delegate computes on its own.
        outputs = [_read(results[spec.name], spec) for spec in session.outputs]
        seconds.append(time.perf_counter() - start)
    np.savez(folder / "outputs.npz", *outputs)
    (folder / "seconds.json").write_text(json.dumps(seconds[1:]))


def _read(buffer: Any, spec: TensorSpec) -> np.ndarray:
    count = int(np.prod(spec.shape))
    return buffer.read(count, np.dtype(spec.dtype).type).reshape(spec.shape)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
