"""Table of packages, and the function that writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgevit.backends.mcu.bundle import FIRMWARE
from edgevit.backends.mcu.packages import builders, cmsis_pack, rust
from edgevit.backends.mcu.packages.firmware import Firmware
from edgevit.backends.mcu.packages.library import library
from edgevit.backends.mcu.packages.weights import weights
from edgevit.errors import UsageError

PACKAGES: Mapping[str, Callable[[Firmware, Path], Path]] = {
    "arduino": builders.arduino,
    "platformio": builders.platformio,
    "zephyr": builders.zephyr,
    "esp-idf": builders.esp_idf,
    "cmsis-pack": cmsis_pack.cmsis_pack,
    "rust": rust.rust,
}
LIBRARY = "library"  # the one of several networks
WEIGHTS = "weights"  # an update, of any form


def write_packages(
    folders: Mapping[Path, str], kinds: Sequence[str], output: Path, version: int = 1
) -> list[Path]:
    """Write packages of exported folders, each below `output` under its name; return what to take.

    `folders` maps each folder to its target; `version` is that of weights.
    """
    networks = [Firmware.of(folder / FIRMWARE, target) for folder, target in folders.items()]
    others = [kind for kind in kinds if kind != LIBRARY]
    if others and len(networks) > 1:
        raise UsageError(
            f"`{others[0]}` is a package of one network",
            where=", ".join(map(str, folders)),
            why="several share one arena in a C library alone",
            hint="--for library, or one folder",
        )
    if any(kind != WEIGHTS for kind in kinds):
        for network in networks:
            network.require_c()
    return [_written(kind, networks, output / kind, version) for kind in kinds]


def _written(kind: str, networks: Sequence[Firmware], place: Path, version: int) -> Path:
    place.mkdir(parents=True)
    if kind == LIBRARY:
        return library(networks, place)
    if kind == WEIGHTS:
        return weights(networks[0], place, version)
    return PACKAGES[kind](networks[0], place)
