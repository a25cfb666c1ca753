"""Description of this machine, stored with every figure measured on it."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Host:
    cpu: str
    cores: int  # 0: not reported
    memory_mb: int | None
    os: str
    python: str
    governor: str | None  # None: not reported by the system
    load: float | None  # average over the last minute, when asked

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    def __str__(self) -> str:
        facts = [self.cpu, *([f"{self.cores} cores"] if self.cores else []), self.os]
        facts += [f"governor {self.governor}"] if self.governor else []
        facts += [f"load {self.load:.1f}"] if self.load is not None else []
        return ", ".join(facts)


def this_host() -> Host:
    return Host(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        memory_mb=_memory_mb(),
        os=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def has_isa(isa: str | None) -> bool:
    """Check whether this machine's instruction set is a target's, whose extensions do not count."""
    own = {"AMD64": "x86-64", "x86_64": "x86-64", "arm64": "aarch64"}
    machine = platform.machine()
    return (isa or "").split("+")[0] == own.get(machine, machine)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _cpu() -> str:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"model name", "Model", "Hardware"}:
            return value.strip()
    return platform.processor() or platform.machine()


def _memory_mb() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    except (AttributeError, ValueError, OSError):
        return None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None
