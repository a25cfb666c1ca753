"""`executor_runner`, the benchmark program of this runtime on Android."""

from __future__ import annotations

import re
import shlex

from edgevit.backends.device_binary import DeviceBinary, no_time_in

_EXECUTORCH = re.compile(r"Model executed successfully (\d+) time\(s\) in ([0-9.]+) ms")


def _executor_runner(binary: str, artifact: str, threads: int, runs: int) -> str:
    flags = [f"--model_path={artifact}", f"--num_executions={runs}", f"--cpu_threads={threads}"]
    return shlex.join([binary, *flags])


def _of_executor_runner(said: str, runs: int) -> list[float]:
    """Return the mean time of a run, twice.

    executor_runner prints one figure for all runs together, the first one included.
    """
    match = _EXECUTORCH.search(said)
    if match is None or int(match[1]) != runs:
        raise no_time_in("executor_runner", said)
    mean = float(match[2]) * 1e-3 / runs
    return [mean, mean]


EXECUTOR_RUNNER = DeviceBinary("executor_runner", _executor_runner, _of_executor_runner)
