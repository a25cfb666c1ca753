"""The published figures, as samples to fit on: `targets/forecast/`, facts and names only.

published.csv   every figure, with its source, as the source prints it
devices.csv     which of its devices and runtimes are fitted, under which kind and setting, and the chip of our targets
nets.csv        which of its nets timm has, under which name, and their family; a net that is not there is not fitted on.
                Nets that fell back from the accelerator in one source's table (squeeze-excite on an older converter)
                stand there under names of their own, and are left out
features.json   what those nets' graphs hold (benchmarks/forecast.py counts it)
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
    """A device and runtime that figures were published of. `soc` is empty where we have no such target."""

    device: str
    runtime: str  # the published name begins so
    kind: str
    setting: str
    soc: str
    shown: str


def folder() -> Path:
    return data_dir("targets") / "forecast"


def devices() -> tuple[Device, ...]:
    return tuple(Device(**row) for row in _rows("devices.csv"))


def nets() -> dict[str, dict[str, str]]:
    """By published name: `net`, `size`, `family`."""
    return {row["model"]: row for row in _rows("nets.csv")}


def features() -> dict[str, Features]:
    """By `net@size`."""
    path = folder() / "features.json"
    return {key: Features.of_dict(entry) for key, entry in json.loads(path.read_text()).items()}


def samples(kind: str, known: dict[str, Features] | None = None) -> tuple[Sample, ...]:
    """The figures of one kind of device, of nets whose graphs we have."""
    found, names = known or features(), nets()
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
                found[key].vector(),
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
