"""Interface to a cloud of devices: upload, wait, results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from edgevit.backends import OpTime


@dataclass(frozen=True)
class CloudDevice:
    """Device as the cloud describes it. `chip` is empty if the cloud does not name it."""

    name: str
    os: str
    chip: str = ""
    versions: dict[str, str] = field(default_factory=dict)  # of the cloud's client


@dataclass(frozen=True)
class CloudRun:
    """Result of a job. `outputs` is None if the job ran on random inputs."""

    seconds: tuple[float, ...]  # one a run, by the device's clock
    layers: tuple[OpTime, ...]  # 0 seconds: the cloud tells the unit alone
    memory: tuple[int, int] | None  # bytes: the range of peaks over the runs
    outputs: tuple[np.ndarray, ...] | None
    address: str = ""  # page of the job


class CloudJob(Protocol):
    def wait(self, limit: float, progress: Callable[[str], None]) -> None:
        """Wait until the job has ended. Raises an `EdgevitError` if it failed or took longer."""
        ...

    def results(self) -> CloudRun: ...

    def close(self) -> None:
        """End what runs here for the job, and remove its files."""
        ...


class DeviceCloud(Protocol):
    title: str
    suffixes: tuple[str, ...]  # of artifacts that the cloud takes

    def device(self) -> CloudDevice:
        """Return the device. Raises an `EdgevitError` if the cloud has none of that name."""
        ...

    def upload(self, artifact: Path, inputs: dict[str, np.ndarray] | None) -> CloudJob:
        """Start a job that times the artifact. `inputs` is None for random ones."""
        ...

    def key(self) -> dict[str, object]:
        """Return the settings that a figure depends on."""
        ...
