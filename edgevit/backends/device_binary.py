"""Benchmark program of a runtime on a phone: its command line and the parsing of its output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgevit.errors import BackendRuntimeError

Line = Callable[[str, str, int, int], str]  # binary, artifact, threads, runs -> a command


@dataclass(frozen=True)
class DeviceBinary:
    name: str
    line: Line
    seconds: Callable[[str, int], list[float]]  # from its output and the runs asked for


def no_time_in(name: str, output: str) -> BackendRuntimeError:
    return BackendRuntimeError(
        f"{name} gives no time",
        why="\n".join(output.strip().splitlines()[-3:]) or "it printed nothing",
        hint="is it the right binary for the device, and of a version that knows the file?",
    )
