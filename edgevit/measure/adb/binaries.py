"""The benchmark binaries of the runtimes: how they are called, and what they print."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from edgevit.errors import RuntimeFailed

Line = Callable[[str, str, int, int], str]  # binary, artifact, threads, runs -> a command
_TFLITE = re.compile(r"count=(\d+) first=.*")
_FIELD = re.compile(r"(\w+)=([0-9.e+]+)")
_EXECUTORCH = re.compile(r"Model executed successfully (\d+) time\(s\) in ([0-9.]+) ms")


@dataclass(frozen=True)
class Binary:
    name: str
    line: Line
    seconds: Callable[[str, int], list[float]]  # what it printed, runs asked for


def _benchmark_model(binary: str, artifact: str, threads: int, runs: int) -> str:
    flags = [f"--graph={artifact}", f"--num_threads={threads}", f"--num_runs={runs}"]
    flags += ["--warmup_runs=1", "--warmup_min_secs=0", "--min_secs=0"]
    return shlex.join([binary, *flags])


def _of_benchmark_model(said: str, runs: int) -> list[float]:
    """It prints a line `count=` for the warm-up and one for the runs; newer ones tell the median."""
    found = _TFLITE.findall(said)
    lines = [line for line in said.splitlines() if _TFLITE.search(line)]
    if not found or int(found[-1]) < runs:
        raise _unread("benchmark_model", said)
    fields = dict(_FIELD.findall(lines[-1]))
    middle = fields.get("median") or fields.get("avg")
    if middle is None:
        raise _unread("benchmark_model", said)
    return [float(fields["first"]) * 1e-6, float(middle) * 1e-6]


def _executor_runner(binary: str, artifact: str, threads: int, runs: int) -> str:
    flags = [f"--model_path={artifact}", f"--num_executions={runs}", f"--cpu_threads={threads}"]
    return shlex.join([binary, *flags])


def _of_executor_runner(said: str, runs: int) -> list[float]:
    """One figure for all runs together, the first one with them."""
    found = _EXECUTORCH.search(said)
    if found is None or int(found[1]) != runs:
        raise _unread("executor_runner", said)
    mean = float(found[2]) * 1e-3 / runs
    return [mean, mean]


def _unread(name: str, said: str) -> RuntimeFailed:
    return RuntimeFailed(
        f"{name} gives no time",
        why="\n".join(said.strip().splitlines()[-3:]) or "it printed nothing",
        hint="is it the right binary for the device, and of a version that knows the file?",
    )


BINARIES = {
    "tflite": Binary("benchmark_model", _benchmark_model, _of_benchmark_model),
    "executorch": Binary("executor_runner", _executor_runner, _of_executor_runner),
}
