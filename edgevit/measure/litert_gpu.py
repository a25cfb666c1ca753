"""`litert-gpu`: LiteRT's GPU delegate on this machine. Says what it takes, and compares outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgevit.backends.tflite import INFO, GpuRun, run_on_gpu
from edgevit.errors import EdgevitError, UsageError
from edgevit.measure.device import DeviceState, this_device
from edgevit.measure.figures import Figures, Settings, lost
from edgevit.measure.outputs import compare_outputs
from edgevit.measure.runner import Progress, plain
from edgevit.measure.sequential import SequentialRunner
from edgevit.measure.timing import Subject, subject_of
from edgevit.support.host import now

_REASONS = 6  # at most, of ops that stay on the CPU


def open_runner(address: str) -> GpuRunner:
    plain(address, "litert-gpu")
    return GpuRunner()


class GpuRunner(SequentialRunner):
    address = "litert-gpu"

    def device(self) -> DeviceState:
        return replace(this_device(), address=self.address, timed_by="LiteRT's GPU delegate")

    def subject(self, path: str | Path) -> Subject:
        subject = subject_of(path, here=False)
        if subject.format != INFO.name:
            raise UsageError(
                f"a {subject.format} artifact is not run by LiteRT",
                where=str(subject.path),
                why="the delegate takes its own files",
                hint=f"export with --format {INFO.name}",
            )
        if subject.inputs is None:
            raise UsageError(
                f"{subject.path.name} has no inputs beside it",
                where=str(subject.path),
                why="outputs are compared on the golden inputs of an export",
                hint="give the exported folder",
            )
        return subject

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        return {"rounds": settings.rounds}

    def figures(self, subject: Subject, settings: Settings, progress: Progress) -> Figures:
        try:
            run = run_on_gpu(subject.path, subject.inputs or (), settings.rounds, settings.limit)
            compared = compare_outputs(subject, run.outputs, "the GPU")
        except EdgevitError as error:
            return lost(subject, error, "measured", "seconds")
        notes = (*compared, *_about(run))
        missing = "LiteRT's GPU delegate tells none"
        return Figures(subject, "measured", "seconds", run.seconds, ops_missing=missing * settings.ops, notes=notes, when=now())  # fmt: skip


def _about(run: GpuRun) -> tuple[str, ...]:
    driver = f"on {run.adapter}"
    if run.software:
        driver += ", a driver in software: these times are of no GPU"
    if not run.on_cpu:
        return (driver, "the GPU takes every op")
    reasons = [f"{reason} ({count}x)" for reason, count in run.refused.most_common(_REASONS)]
    return (driver, f"{run.on_cpu} ops stay on the CPU", *reasons)
