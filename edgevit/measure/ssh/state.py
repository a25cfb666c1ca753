"""Query the identity and state of a board by one command."""

from __future__ import annotations

import json
import time
from typing import Any

from edgevit.errors import DeviceError, MissingToolError
from edgevit.measure.device import DeviceState, runtimes, short_hash
from edgevit.measure.ssh.shell import Shell, quoted

# A 32-bit userland on a 64-bit kernel needs 32-bit libraries, although `uname -m` is 64-bit.
_NARROW = {"aarch64": "armv7l", "x86_64": "i686"}
_PAUSE = 1.0  # seconds before the retry
_ASK = r"""
import json, os, platform, struct, sys
try:
    from importlib import metadata
except ImportError:
    metadata = None
def read(path):
    try:
        with open(path) as file:
            return file.read().replace("\0", "").strip()
    except (OSError, UnicodeDecodeError):
        return None
def version(name):
    try:
        return metadata.version(name)
    except Exception:
        return None
cpu = read("/proc/device-tree/model")
for line in (read("/proc/cpuinfo") or "").splitlines():
    key, _, value = line.partition(":")
    if cpu is None and key.strip() in ("model name", "Model", "Hardware"):
        cpu = value.strip()
system = [l for l in (read("/etc/os-release") or "").splitlines() if l.startswith("PRETTY_NAME=")]
print(json.dumps({
    "machine": platform.machine(), "bits": struct.calcsize("P") * 8, "cpu": cpu,
    "kernel": platform.system() + " " + platform.release(),
    "system": system[0].split("=", 1)[1].strip('"') if system else None,
    "cores": len(os.sched_getaffinity(0)), "python": platform.python_version(),
    "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
    "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    "temperature": read("/sys/class/thermal/thermal_zone0/temp"),
    "load": os.getloadavg()[0], "id": read("/etc/machine-id"),
    "versions": {name: version(name) for name in %s},
}))
"""


def state_of(shell: Shell) -> DeviceState:
    python = shell.address.python
    script = _ASK % repr(tuple(runtimes()))
    try:
        said = _answer(shell, f"{quoted(python)} -c {quoted(script)}")
    except DeviceError as error:
        if "not found" not in error.why and "No such file" not in error.why:
            raise
        raise MissingToolError(
            f"{python} is not on {shell.address.host}",
            where=shell.address.text,
            why=error.why,
            hint="?python=/path names the interpreter whose packages hold the runtime",
        ) from error
    return _state(json.loads(said.strip().splitlines()[-1]), shell.address.text)


def _answer(shell: Shell, line: str) -> str:
    """Run a command, and retry it once after a transient network error."""
    try:
        return shell.run(line)
    except DeviceError as error:
        if not error.retryable:
            raise
        time.sleep(_PAUSE)
        return shell.run(line)


def _state(facts: dict[str, Any], address: str) -> DeviceState:
    machine: str = facts["machine"]
    if facts["bits"] == 32:
        machine = _NARROW.get(machine, machine)
    system = f"{facts['kernel']} {machine}"
    temperature = facts["temperature"]
    return DeviceState(
        cpu=facts["cpu"] or machine,
        cores=facts["cores"],
        memory_mb=facts["memory"],
        os=f"{facts['system']}, {system}" if facts["system"] else system,
        python=facts["python"],
        governor=facts["governor"],
        load=facts["load"],
        address=address.partition("?")[0],
        machine=machine,
        serial=short_hash(facts["id"]) if facts["id"] else "",
        temperature_c=int(temperature) / 1000 if (temperature or "").isdigit() else None,
        versions={name: version for name, version in facts["versions"].items() if version},
    )
