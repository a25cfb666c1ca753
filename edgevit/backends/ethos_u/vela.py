"""Compilation of an int8 TFLite file by Vela, in a process of its own.

What Vela says of time and memory comes from its model of the NPU, so it is a prediction.
"""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgevit.backends.ethos_u.npu import Npu
from edgevit.backends.session import load_library
from edgevit.errors import BackendRuntimeError, TargetError, report_it
from edgevit.support.limited import Limits, WorkerEndedError, call_limited

_LIMITS = Limits(memory=16 << 30, cpu=2 * 3600, seconds=1800.0)
_CONFIG = "Arm/vela.ini"
_AREAS = ("sram", "dram", "on_chip_flash", "off_chip_flash")
_NO_SUCH = re.compile(r"(?:System_Config|Memory_Mode)\.\w+|section|Invalid", re.IGNORECASE)


@dataclass(frozen=True)
class LayerCycles:
    op: str  # of the file
    name: str  # tensor that it makes
    on_npu: bool
    cycles: int
    macs: int


@dataclass(frozen=True)
class VelaReport:
    """Vela's forecast of one inference."""

    memory: Mapping[str, int]  # bytes, by kind of memory
    traffic: Mapping[str, int]  # bytes read and written, by kind of memory
    cycles: int
    clock_hz: int
    macs: int
    layers: tuple[LayerCycles, ...]


def tool_versions() -> dict[str, str]:
    load_library("ethosu.vela", "ethos-u")
    return {"ethos-u-vela": version("ethos-u-vela")}


def compile_for(source: Path, npu: Npu, sram: int | None, result: Path, small: bool) -> VelaReport:
    """Compile `source` to `result`. `sram`: bytes that Vela may use; `small`: rather than be fast."""
    words = [
        *("--accelerator-config", npu.accelerator, "--config", _CONFIG),
        *("--system-config", npu.system, "--memory-mode", npu.memory),
        *("--optimise", "Size" if small else "Performance", "--verbose-performance"),
    ]
    if sram is not None:
        words += ["--arena-cache-size", str(sram)]
    place = "edgevit.backends.ethos_u.vela:compile_here"
    try:
        said = call_limited(place, [str(source), str(result), words], _LIMITS)
    except WorkerEndedError as error:
        raise BackendRuntimeError(
            f"Vela died on {source.stem} for {npu.name}",
            where=str(source),
            why=str(error),
            hint=f"a smaller --input-size, or another NPU; if it dies again, {report_it()}",
        ) from error
    return _report(said["summary"], said["layers"])


def compile_here(source: str, result: str, words: list[str]) -> dict[str, Any]:
    """Compile in this process; the result is JSON."""
    vela: Any = load_library("ethosu.vela.vela", "ethos-u")
    with TemporaryDirectory() as folder:
        try:
            code = vela.main([source, "--output-dir", folder, *words])
        except SystemExit as error:
            code = error.code
        except Exception as error:  # its errors have no common base
            raise _refused(source, str(error), words) from error
        compiled = sorted(Path(folder).glob("*_vela.tflite"))
        if code or not compiled:
            raise _refused(source, f"it ended with exit code {code}", words)
        shutil.copyfile(compiled[0], result)
        (summary,) = _rows(folder, "*_summary_*.csv")
        return {"summary": summary, "layers": _rows(folder, "*_per-layer.csv")}


def _rows(folder: str, pattern: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in sorted(Path(folder).glob(pattern)):
        with path.open(newline="") as file:
            rows += csv.DictReader(file)
    return rows


def _report(summary: Mapping[str, str], layers: list[Mapping[str, str]]) -> VelaReport:
    number = {key: float(text) for key, text in summary.items() if _is_number(text)}
    return VelaReport(
        memory={area: round(number[f"{area}_memory_used"] * 1024) for area in _AREAS},
        traffic={area: round(number[f"{area}_total_bytes"]) for area in _AREAS},
        cycles=round(number["cycles_total"]),
        clock_hz=round(number["core_clock"]),
        macs=round(number["nn_macs"]),
        layers=tuple(
            LayerCycles(
                row["Original Operator"],
                row["Name"],
                row["Target"] == "NPU",
                round(float(row["Op Cycles"])),
                round(float(row["MAC Count"])),
            )
            for row in layers
        ),
    )


def _is_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True


def _refused(source: str, said: str, words: list[str]) -> Exception:
    why = said.strip()[:600]
    system, memory = (
        words[words.index(f"--{key}") + 1] for key in ("system-config", "memory-mode")
    )
    if _NO_SUCH.search(why):
        return TargetError(
            f"Vela does not take the configuration {system}, {memory}",
            where="--npu-system, --npu-memory",
            why=why,
            hint="`vela --list-configs Arm/vela.ini` lists the names",
        )
    return BackendRuntimeError(
        f"Vela refuses {Path(source).stem}",
        where=source,
        why=why,
        hint=f"another --input-size, or another format of the target; {report_it()}",
    )
