"""Table of packages, and the function that writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgevit.backends.mcu.bundle import FIRMWARE
from edgevit.backends.mcu.packages import builders, cmsis_pack, rust
from edgevit.backends.mcu.packages.firmware import Firmware

PACKAGES: Mapping[str, Callable[[Firmware, Path], Path]] = {
    "arduino": builders.arduino,
    "platformio": builders.platformio,
    "zephyr": builders.zephyr,
    "esp-idf": builders.esp_idf,
    "cmsis-pack": cmsis_pack.cmsis_pack,
    "rust": rust.rust,
}


def write_packages(folder: Path, target: str, kinds: Sequence[str], output: Path) -> list[Path]:
    """Write packages of an exported folder, each below `output` under its name; return what to take."""
    firmware = Firmware.of(folder / FIRMWARE, target)
    written: list[Path] = []
    for kind in kinds:
        (output / kind).mkdir(parents=True)
        written.append(PACKAGES[kind](firmware, output / kind))
    return written
