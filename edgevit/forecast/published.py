"""Published figures, as samples for the fit, from `targets/forecast/`: facts and names only.

published.csv   every figure, with its source, as printed by the source
devices.csv     devices and runtimes that are fitted, with kind and setting, and our targets' chip
nets.csv        nets that timm has, with its name and their family. Other nets are not fitted on.
                Nets that fell back from the accelerator in one source's table (squeeze-excite on an
                older converter) have names of their own, and are left out
features.json   features of those nets' graphs, counted by benchmarks/forecast.py
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgevit.forecast.features import Features
from edgevit.forecast.fit import Sample
from edgevit.support.resources import data_dir


@dataclass(frozen=True)
class Device:
    """Device and runtime with published figures. `soc` is empty if no target has the chip."""

    device: str
    runtime: str  # prefix of the published name
    kind: str
    setting: str
    soc: str
    shown: str


def folder() -> Path:
    return data_dir("targets") / "forecast"


def devices() -> tuple[Device, ...]:
    return tuple(Device(**row) for row in _rows("devices.csv"))


def nets() -> dict[str, dict[str, str]]:
    """Map published names to rows with `net`, `size`, `family`."""
    return {row["model"]: row for row in _rows("nets.csv")}


def features() -> dict[str, Features]:
    """Map `net@size` to features."""
    path = folder() / "features.json"
    return {key: Features.of_dict(entry) for key, entry in json.loads(path.read_text()).items()}


def samples(kind: str, by_net: dict[str, Features] | None = None) -> tuple[Sample, ...]:
    """Return the figures of one kind of device, for nets with known features."""
    table, names = by_net or features(), nets()
    mine = [device for device in devices() if device.kind == kind]
    gathered = []
    for row in _rows("published.csv"):
        net = names.get(row["model"])
        device = next((d for d in mine if _is_of(row, d)), None)
        if net is None or device is None:
            continue
        key = f"{net['net']}@{net['size']}"
        gathered.append(
            Sample(
                key,
                net["family"],
                device.setting,
                row["source"],
                float(row["latency_ms"]),
                table[key].vector(),
            )
        )
    return tuple(gathered)


def kinds() -> tuple[str, ...]:
    return tuple(dict.fromkeys(device.kind for device in devices()))


def _is_of(row: dict[str, str], device: Device) -> bool:
    return row["device"] == device.device and row["runtime"].startswith(device.runtime)


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (folder() / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
