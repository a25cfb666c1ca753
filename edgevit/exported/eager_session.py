"""Session of the model itself in PyTorch, opened from an exported folder's manifest.

It is timed in the same way as the artifacts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from edgevit.backends import Arrays, OpTime, TensorSpec
from edgevit.exported.manifest import read_manifest
from edgevit.frontend import rebuild


def open_session(path: Path, threads: int) -> EagerSession:
    return EagerSession(path, threads)


class EagerSession:
    def __init__(self, folder: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        self._source = rebuild(read_manifest(folder)["model"])
        self.inputs = tuple(
            _spec(name, x)
            for name, x in zip(self._source.input_names, self._source.inputs, strict=True)
        )
        self.outputs: tuple[TensorSpec, ...] = ()

    def run(self, arrays: Arrays) -> list[Any]:
        with torch.inference_mode():
            results = self._source.module(*(torch.from_numpy(a) for a in arrays))
        return [leaf.numpy() for leaf in tree_leaves(results) if isinstance(leaf, torch.Tensor)]

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        """Return times by operator: PyTorch's profiler does not separate calls of one operator."""
        self.run(arrays)
        activities = [torch.profiler.ProfilerActivity.CPU]
        with torch.profiler.profile(activities=activities) as profiler:
            for _ in range(repeats):
                self.run(arrays)
        return tuple(
            OpTime(event.key, "", "PyTorch", event.self_cpu_time_total * 1e-6 / repeats)
            for event in profiler.key_averages()
            if event.self_cpu_time_total
        )


def _spec(name: str, tensor: torch.Tensor) -> TensorSpec:
    return TensorSpec(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
