"""`benchmark_model`, the benchmark program of this runtime on Android."""

from __future__ import annotations

import re
import shlex

from edgevit.backends.device_binary import DeviceBinary, no_time_in

_TFLITE = re.compile(r"count=(\d+) first=.*")
_FIELD = re.compile(r"(\w+)=([0-9.e+]+)")


def _benchmark_model(binary: str, artifact: str, threads: int, runs: int) -> str:
    flags = [f"--graph={artifact}", f"--num_threads={threads}", f"--num_runs={runs}"]
    flags += ["--warmup_runs=1", "--warmup_min_secs=0", "--min_secs=0"]
    return shlex.join([binary, *flags])


def _of_benchmark_model(said: str, runs: int) -> list[float]:
    """Return the first and the median time of a run, or the mean if there is no median.

    benchmark_model prints a line `count=` for the warm-up and one for the runs; newer releases
    report the median.
    """
    matches = _TFLITE.findall(said)
    lines = [line for line in said.splitlines() if _TFLITE.search(line)]
    if not matches or int(matches[-1]) < runs:
        raise no_time_in("benchmark_model", said)
    fields = dict(_FIELD.findall(lines[-1]))
    middle = fields.get("median") or fields.get("avg")
    if middle is None:
        raise no_time_in("benchmark_model", said)
    return [float(fields["first"]) * 1e-6, float(middle) * 1e-6]


BENCHMARK_MODEL = DeviceBinary("benchmark_model", _benchmark_model, _of_benchmark_model)
