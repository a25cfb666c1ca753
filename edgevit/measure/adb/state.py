"""Query the identity and state of an Android device."""

from __future__ import annotations

from edgevit.measure.adb.bridge import Bridge
from edgevit.measure.device import DeviceState, short_hash

_ABIS = {"arm64-v8a": "aarch64", "armeabi-v7a": "armv7l", "x86_64": "x86_64", "x86": "i686"}
_ASK = "; ".join(
    [
        *(
            f'echo "{name}=$(getprop {key})"'
            for name, key in (
                ("model", "ro.product.model"),
                ("maker", "ro.soc.manufacturer"),
                ("soc", "ro.soc.model"),
                ("board", "ro.board.platform"),
                ("release", "ro.build.version.release"),
                ("abi", "ro.product.cpu.abi"),
                ("serial", "ro.serialno"),
            )
        ),
        'echo "kernel=$(uname -r)"',
        'echo "cores=$(nproc)"',
        'echo "governor=$(cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor 2>/dev/null)"',
        'echo "temperature=$(cat /sys/class/thermal/thermal_zone0/temp 2>/dev/null)"',
        'echo "memory=$(grep MemTotal /proc/meminfo)"',
        'echo "load=$(cat /proc/loadavg 2>/dev/null)"',
    ]
)


def state_of(bridge: Bridge) -> DeviceState:
    facts: dict[str, str] = {}
    for line in bridge.shell(_ASK).splitlines():
        name, _, value = line.partition("=")
        facts[name] = value.strip()
    soc = " ".join(facts.get(name, "") for name in ("maker", "soc")).strip()
    model = facts.get("model", "")
    machine = _ABIS.get(facts.get("abi", ""), facts.get("abi", ""))
    temperature = _number(facts.get("temperature", ""))
    memory = _number("".join(c for c in facts.get("memory", "") if c.isdigit()))
    serial = facts.get("serial") or bridge.serial
    return DeviceState(
        cpu=", ".join(part for part in (model, soc or facts.get("board", "")) if part) or machine,
        cores=int(_number(facts.get("cores", "")) or 1),
        memory_mb=int(memory) >> 10 if memory else None,
        os=f"Android {facts.get('release', '')}, Linux {facts.get('kernel', '')} {machine}",
        python="",
        governor=facts.get("governor") or None,
        load=_number(facts.get("load", "").partition(" ")[0]),
        address=bridge.where,
        machine=machine,
        serial=short_hash(serial) if serial else "",
        temperature_c=temperature / 1000 if temperature is not None and temperature > 1000 else temperature,
    )  # fmt: skip


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
