"""Device of a measurement: its identity, constant between runs, and its state."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

from edgevit.support.backend_info import BACKENDS
from edgevit.support.host import Host, this_host


def runtimes() -> dict[str, set[str]]:
    """Map runtime distributions to the formats that they run."""
    formats: dict[str, set[str]] = {"torch": {"eager"}}
    for info in BACKENDS.values():
        for name in info.libraries:
            formats.setdefault(name, set()).add(info.name)
    return formats


@dataclass(frozen=True)
class DeviceState(Host):
    """Identity and state of a device. `cpu`: the SoC, if the system names one. None: unreadable."""

    address: str = "local"
    machine: str = ""  # as in `uname -m`
    serial: str = ""  # distinguishes two devices of one kind
    temperature_c: float | None = None
    versions: dict[str, str] = field(default_factory=dict)  # versions of installed runtimes
    timed_by: str = ""  # who chose and timed the runs, if not edgevit

    def identity(self, format: str) -> dict[str, object]:
        """Return the properties that a figure depends on.

        Load and temperature are stored with the figure, but do not identify the device.
        """
        formats = runtimes()
        versions = {k: v for k, v in self.versions.items() if format in formats.get(k, {format})}
        info = BACKENDS.get(format)
        if self.address == "local" and info is not None and info.versions is not None:
            versions |= info.part(info.versions)()
        fields = ("cpu", "cores", "memory_mb", "os", "governor", "machine", "serial")
        return {**{name: getattr(self, name) for name in fields}, "versions": versions}

    def __str__(self) -> str:
        text = super().__str__()
        text += f", {self.temperature_c:.0f} °C" if self.temperature_c is not None else ""
        return text if self.address == "local" else f"{self.address}: {text}"


def unknown_device(what: str, address: str) -> DeviceState:
    """Return the state of a device that reports nothing about itself."""
    return DeviceState(
        cpu=what,
        cores=1,
        memory_mb=None,
        os="unknown",
        python="",
        governor=None,
        load=None,
        address=address,
    )


def this_device() -> DeviceState:
    return DeviceState(
        **asdict(this_host()),
        machine=platform.machine(),
        serial=_serial(),
        temperature_c=_temperature(),
        versions=_versions(),
    )


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _serial() -> str:
    try:
        return short_hash(Path("/etc/machine-id").read_text().strip())
    except OSError:
        return ""


def _temperature() -> float | None:
    """Read the first thermal zone in degrees C, which is the SoC's on boards and phones."""
    try:
        return int(Path("/sys/class/thermal/thermal_zone0/temp").read_text()) / 1000
    except (OSError, ValueError):
        return None


def _versions() -> dict[str, str]:
    versions = {}
    for library in runtimes():
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return versions
