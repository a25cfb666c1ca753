"""Session of an ONNX file in ONNX Runtime."""

from __future__ import annotations

import contextlib
import functools
import json
import platform
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.onnx.shared_weights import part_weights
from edgevit.backends.session import Arrays, OpTime, TensorSpec, load_library, seconds_of_runs
from edgevit.errors import PackageError

_NUMPY = {"float": "float32", "double": "float64"}  # the others are called alike
# Products of unsigned by signed bytes saturate on CPUs without VNNI instructions unless it is set.
EXACT_BYTES = "session.x64quantprecision"
# Its threads spin between the calls of a run: less latency for twice the CPU seconds.
_SLEEPING = {"session.intra_op.allow_spinning": "0"}
_REMOTE = "AzureExecutionProvider"  # sends the input to a server


def open_session(path: Path, threads: int) -> OnnxSession:
    return OnnxSession(path, threads)


class OnnxSession:
    """Session that is opened again, with the runtime's defaults, before it is timed."""

    def __init__(self, path: Path, threads: int) -> None:
        self._path, self._threads = path, threads
        self._session = open_runtime(path, threads, _SLEEPING)
        self._is_default = False
        self.inputs = tuple(spec_of(value) for value in self._session.get_inputs())
        self.outputs = tuple(spec_of(value) for value in self._session.get_outputs())

    def run(self, arrays: Arrays) -> list[Any]:
        return run_session(self._session, self.inputs, arrays)

    def seconds(self, arrays: Arrays, repeats: int) -> list[float]:
        if not self._is_default:
            self._session = open_runtime(self._path, self._threads)
            self._is_default = True
        return seconds_of_runs(self, arrays, repeats)

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        with tempfile.TemporaryDirectory() as folder:
            prefix = str(Path(folder) / "profile")
            session = open_runtime(self._path, self._threads, profile=prefix)
            for _ in range(repeats + 1):
                run_session(session, self.inputs, arrays)
            events = json.loads(Path(session.end_profiling()).read_text())
        return tuple(
            OpTime(op, node, unit, sum(times[1:]) / repeats)  # the first run allocates
            for (op, node, unit), times in _node_seconds(events).items()
        )


def _node_seconds(events: list[dict[str, Any]]) -> dict[tuple[str, str, str], list[float]]:
    """Return the kernel times of each node, run by run."""
    seconds: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            facts = event["args"]
            node = event["name"].removesuffix("_kernel_time")
            key = (facts.get("op_name", ""), node, facts.get("provider", ""))
            seconds[key].append(event["dur"] * 1e-6)
    return seconds


def providers() -> list[str]:
    """Return the execution providers of this build of ONNX Runtime on this machine, best first."""
    names = load_library("onnxruntime", "onnx").get_available_providers()
    return [name for name in names if name != _REMOTE]


@functools.cache
def saturates() -> bool:
    """Check for an x86 CPU whose products of unsigned by signed bytes saturate at 16 bits."""
    if platform.machine() not in {"x86_64", "AMD64"}:
        return False
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return True
    return not flags & {"avx512_vnni", "avx_vnni"}


def open_runtime(
    path: Path,
    threads: int,
    config: Mapping[str, str] | None = None,
    profile: str | None = None,
    optimised: Path | None = None,
) -> Any:
    """Open a session; with `optimised`, write there the graph that it runs."""
    runtime = load_library("onnxruntime", "onnx")

    def options(entries: Mapping[str, str]) -> Any:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what matters is raised
        if optimised is not None:
            options.optimized_model_filepath = str(optimised)
        for key, value in entries.items():
            options.add_session_config_entry(key, value)
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = profile
        return options

    def opened(file: str | bytes, entries: Mapping[str, str]) -> Any:
        return runtime.InferenceSession(file, options(entries), providers=providers())

    entries = dict(config or {})
    if saturates():
        exact = {**entries, EXACT_BYTES: "1"}
        with contextlib.suppress(Exception):
            return opened(str(path), exact)
        with contextlib.suppress(Exception):
            return opened(_with_own_weights(path), exact)
    try:
        return opened(str(path), entries)
    except Exception as error:  # its errors have no common base
        raise PackageError(
            "ONNX Runtime does not take this file",
            where=str(path),
            why=str(error).strip().partition("\n")[0][:400],
            hint="the file is damaged or not ONNX: export it again",
        ) from error


def _with_own_weights(path: Path) -> bytes:
    """Return the file with a weight for each product, which exact mode needs."""
    model = load_library("onnx", "onnx").load(path)
    part_weights(model)
    return model.SerializeToString()


def run_session(session: Any, inputs: tuple[TensorSpec, ...], arrays: Arrays) -> list[Any]:
    feeds = {spec.name: np.asarray(a, order="C") for spec, a in zip(inputs, arrays, strict=True)}
    return session.run(None, feeds)


def spec_of(value: Any) -> TensorSpec:
    kind: str = value.type.removeprefix("tensor(").removesuffix(")")
    return TensorSpec(value.name, tuple(value.shape), _NUMPY.get(kind, kind))
