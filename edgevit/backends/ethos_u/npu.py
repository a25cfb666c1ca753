"""The Ethos-U of a target, as its compiler knows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edgevit.backends.ethos_u.options import EthosOptions
from edgevit.errors import TargetError
from edgevit.targets import Target

# Multiplications of bytes a cycle, by family: Arm's technical reference manuals, "Configuration options".
MACS: Mapping[str, tuple[int, ...]] = {
    "U55": (32, 64, 128, 256),
    "U65": (256, 512),
    "U85": (128, 256, 512, 1024, 2048),
}
# SRAM for values, and flash for weights, which are read only.
_SYSTEMS = {
    "U55": "Ethos_U55_High_End_Embedded",
    "U65": "Ethos_U65_Embedded",
    "U85": "Ethos_U85_SYS_Flash_High",
}
_MEMORY = "Shared_Sram"
_NAME = re.compile(r"Ethos-(U\d\d)-(\d+)")


@dataclass(frozen=True)
class Npu:
    family: str  # "U55"
    macs: int
    system: str  # of Vela's configuration file
    memory: str

    @property
    def name(self) -> str:
        return f"Ethos-{self.family}-{self.macs}"

    @property
    def accelerator(self) -> str:
        """Return its name on Vela's command line."""
        return self.name.lower()

    def as_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "macs_per_cycle": self.macs,
            "system_config": self.system,
            "memory_mode": self.memory,
        }


def missing(target: Target) -> tuple[str, str] | None:
    """Return the key that the target's file lacks, and why it is needed."""
    if target.npu is None:
        return "npu", f"Vela compiles for one NPU, by name: {_names()}"
    family, macs = _parts(target)
    if macs in MACS.get(family, ()):
        return None
    return "npu", f"its NPU is {target.npu.name}; Vela compiles for {_names()}"


def npu_of(target: Target, options: EthosOptions) -> Npu:
    lacks = missing(target)
    if lacks is not None:
        raise TargetError(
            f"{target.title} has no Ethos-U that Vela compiles for",
            where=str(target.file),
            why=lacks[1],
            hint="--target ethos-u55-256, or another that `edgevit targets` lists with the format ethos-u",
        )
    family, macs = _parts(target)
    system, memory = options.npu_system or _SYSTEMS[family], options.npu_memory or _MEMORY
    return Npu(family, macs, system, memory)


def _parts(target: Target) -> tuple[str, int]:
    match = _NAME.search(target.npu.name) if target.npu else None
    return (match[1], int(match[2])) if match else ("", 0)


def _names() -> str:
    return ", ".join(
        f"Ethos-{family}-{{{','.join(map(str, macs))}}}" for family, macs in MACS.items()
    )
