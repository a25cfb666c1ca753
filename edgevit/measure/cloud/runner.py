"""Runner of any cloud of devices. What the device computed is compared with the golden outputs."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from edgevit.errors import EdgevitError, UsageError
from edgevit.exported import MANIFEST, read_manifest
from edgevit.measure.cloud.service import CloudRun, DeviceCloud
from edgevit.measure.device import DeviceState, unknown_device
from edgevit.measure.figures import Figures, Settings, lost
from edgevit.measure.outputs import compare_outputs
from edgevit.measure.runner import Progress
from edgevit.measure.sequential import SequentialRunner
from edgevit.measure.timing import Subject, subject_of
from edgevit.support.backend_info import BACKENDS
from edgevit.support.host import now


class CloudRunner(SequentialRunner):
    def __init__(self, address: str, cloud: DeviceCloud) -> None:
        self.address = address
        self._cloud = cloud

    def device(self) -> DeviceState:
        return self._device

    @cached_property
    def _device(self) -> DeviceState:
        device = self._cloud.device()
        what = ", ".join(part for part in (device.name, device.chip) if part)
        state = unknown_device(what, self.address)
        return replace(
            state, cores=0, os=device.os, versions=device.versions, timed_by=self._cloud.title
        )

    def subject(self, path: str | Path) -> Subject:
        subject = subject_of(path, here=False)
        if subject.path.suffix not in self._cloud.suffixes:
            taken = [name for name, i in BACKENDS.items() if i.suffix in self._cloud.suffixes]
            raise UsageError(
                f"a {subject.format} artifact is not run by {self._cloud.title}",
                where=str(subject.path),
                why="it takes " + ", ".join(self._cloud.suffixes),
                hint="export with --format " + ", or ".join(taken),
            )
        return subject

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        return self._cloud.key()

    def figures(self, subject: Subject, settings: Settings, progress: Progress) -> Figures:
        try:
            with contextlib.closing(self._cloud.upload(subject.path, inputs_of(subject))) as job:
                job.wait(settings.limit, lambda state: progress(f"{subject.label}: {state}"))
                return self._figures(subject, job.results())
        except EdgevitError as error:
            return lost(subject, error, "measured", "seconds")

    def _figures(self, subject: Subject, run: CloudRun) -> Figures:
        timed = any(layer.seconds for layer in run.layers)
        notes = (*self._compared(subject, run), *_about(run))
        return Figures(
            subject,
            "measured",
            "seconds",
            run.seconds,
            ops=run.layers if timed else (),
            ops_missing="" if timed else "no time of a layer was reported",
            notes=notes,
            when=now(),
        )

    def _compared(self, subject: Subject, run: CloudRun) -> Sequence[str]:
        if run.outputs is None:
            return ("on random inputs: outputs are not compared",)
        return compare_outputs(subject, run.outputs, self._device.cpu)


def inputs_of(subject: Subject) -> dict[str, np.ndarray] | None:
    """Return the golden inputs by the model's names, or None for a bare file."""
    folder = subject.path.parent
    if subject.inputs is None or not (folder / MANIFEST).is_file():
        return None
    declared = read_manifest(folder)["model"]["inputs"]
    return {entry["name"]: array for entry, array in zip(declared, subject.inputs, strict=True)}


def _about(run: CloudRun) -> tuple[str, ...]:
    units = Counter(layer.unit for layer in run.layers)
    shares = ", ".join(f"{unit} {number}" for unit, number in units.most_common())
    notes = [f"layers by unit: {shares}"] if units else []
    if run.memory is not None:
        low, high = (size / 1e6 for size in run.memory)
        notes.append(f"peak memory {low:.1f} to {high:.1f} MB")
    return (*notes, *([f"job: {run.address}"] if run.address else ()))
