"""`edgevit profile`: latency on this machine, interleaved so that load affects all artifacts alike.

Each artifact runs in a process of its own. A round gives each of them one turn, in an order that
changes from round to round. In a turn the first run warms the caches, which the other artifacts
have filled, and the next runs count. A round's figure is the median of its turn, the figure of an
artifact the median of its rounds. Two artifacts are compared round by round.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgevit.backends import TIMEOUT, OpTime, TensorSpec, Worker, fitted
from edgevit.errors import DeviceError, EdgevitError, PackageError, UsageError
from edgevit.exported import (
    expand_folders,
    load_golden,
    read_manifest,
    require_ours,
    require_trusted_file,
    require_trusted_model,
    require_untouched,
)
from edgevit.frontend import require_spec
from edgevit.support.backend_info import firmware_formats, host_formats, host_suffixes, info_of
from edgevit.support.host import Host, now, this_host

_TURN = 0.05  # target seconds of a turn, so that clock resolution is negligible
_MOST = 50  # maximum number of runs per turn


@dataclass(frozen=True)
class Subject:
    """Artifact to be timed, and its inputs."""

    label: str
    format: str
    path: Path
    inputs: tuple[np.ndarray, ...] | None  # None: drawn for the declared inputs
    versions: dict[str, str]
    threads: int = 0  # 0: the measurement's number


@dataclass(frozen=True)
class Latency:
    """Latency in seconds. `low` to `high`: interquartile range of the rounds."""

    median: float
    low: float
    high: float
    least: float
    rounds: tuple[float, ...]

    @classmethod
    def of(cls, rounds: Sequence[float]) -> Latency:
        low, median, high = np.percentile(rounds, [25, 50, 75])
        return cls(float(median), float(low), float(high), min(rounds), tuple(rounds))

    @property
    def spread(self) -> float:
        """Half the interquartile range, relative to the median."""
        return (self.high - self.low) / 2 / self.median


@dataclass(frozen=True)
class Measured:
    subject: Subject
    latency: Latency
    ratio: float | None  # to the first subject, median over rounds; None for the first itself
    ratio_spread: tuple[float, float] | None  # interquartile range over the rounds
    ops: tuple[OpTime, ...]
    ops_missing: str = ""  # reason for a missing table of ops
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FailedMeasurement:
    """Subject without a figure, and the error that is the reason."""

    subject: Subject
    error: EdgevitError


@dataclass(frozen=True)
class ProfileReport:
    measured: tuple[Measured, ...]
    host: Host
    threads: int
    rounds: int
    warmup: int
    when: str
    lost: tuple[FailedMeasurement, ...] = ()


class Opened(Protocol):
    """Artifact opened in its runtime, here or on a device. Timed by the device's own clock."""

    threads: int
    notes: tuple[str, ...]  # notes to report beside the figure

    def seconds(self, runs: int) -> list[float]:
        """Return the seconds of each of `runs` runs, of which the first warms the caches.

        A device that reports only means returns fewer figures.
        """
        ...

    def op_times(self, repeats: int) -> tuple[OpTime, ...]: ...

    def close(self) -> None: ...


Opener = Callable[[Subject, int], Opened]  # the second is the number of threads; 0: all cores


def subject_of(path: str | Path, here: bool = True) -> Subject:
    """Return the subject of an exported folder, or of any artifact file, by its suffix.

    `here`: it must run on this machine.
    """
    path = Path(path)
    if path.is_file():
        suffixes = host_suffixes()
        if path.suffix not in suffixes:
            raise PackageError(
                f"{path.name} is not an artifact that runs here",
                where=str(path),
                why=f"known by their suffix: {', '.join(suffixes)}",
                hint="give an exported folder, or one of these files",
            )
        return Subject(path.name, suffixes[path.suffix], path, None, {})
    manifest = read_manifest(path)
    require_untouched(path, manifest)
    if here:
        _require_runs_here(manifest, path)
    inputs = tuple(tensor.numpy() for tensor in load_golden(path)[0])
    label = f"{manifest['model']['name']} {manifest['format']} {manifest['precision']}"
    artifact = path / manifest["artifact"]
    return Subject(label, manifest["format"], artifact, inputs, manifest["versions"])


def require_trusted(path: str | Path, trust: bool) -> None:
    """Refuse code that this user did not export, before any runner opens it."""
    path = Path(path)
    if path.is_file():
        require_trusted_file(path, host_suffixes().get(path.suffix, ""), trust)
    else:
        require_ours(path, read_manifest(path), trust)


def eager_subject(folder: str | Path, trust: bool = False) -> Subject:
    """Return the subject for the folder's model in PyTorch itself, on the same input."""
    path = Path(folder)
    manifest = read_manifest(path)
    require_untouched(path, manifest)
    require_trusted_model(path, trust)
    require_spec(manifest["model"])
    inputs = tuple(tensor.numpy() for tensor in load_golden(path)[0])
    versions = {"torch": manifest["versions"].get("torch", "")}
    return Subject(f"{manifest['model']['name']} eager", "eager", path, inputs, versions)


def profile_here(
    paths: Sequence[str | Path],
    *,
    threads: int = 0,
    rounds: int = 20,
    warmup: int = 3,
    ops: bool = False,
    eager: bool = False,
    trust: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> ProfileReport:
    """Time artifacts on this machine, interleaved.

    Raises an `EdgevitError` if one of them is damaged or does not run here.
    """
    if not paths:
        raise UsageError("nothing to profile", hint="edgevit profile DIR...")
    folders = expand_folders([Path(path) for path in paths])
    for path in folders:
        require_trusted(path, trust)
    subjects = [subject_of(path) for path in folders]
    if eager:
        subjects.append(eager_subject(folders[0], trust))
    return measure(
        subjects, threads=threads, rounds=rounds, warmup=warmup, ops=ops, progress=progress
    )


def measure(
    subjects: Sequence[Subject],
    *,
    threads: int = 0,
    rounds: int = 20,
    warmup: int = 3,
    ops: bool = False,
    opener: Opener | None = None,
    host: Host | None = None,
    keep_going: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> ProfileReport:
    """Time subjects interleaved, here or on the device of `opener`.

    `keep_going`: report subjects that fail and go on without them, unless all fail.
    """
    host, when = host or this_host(), now()
    with contextlib.ExitStack() as stack:
        runners = [
            stack.enter_context(_Runner(subject, subject.threads or threads, opener or OpenedHere))
            for subject in subjects
        ]
        for runner in runners:
            progress(f"warm up {runner.subject.label}")
            runner.attempt(lambda one=runner: one.warm_up(warmup), keep_going)
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}")
            for runner in _turned(runners, number):
                runner.attempt(runner.take_round, keep_going)
        finished = [runner for runner in runners if runner.error is None]
        if not finished:
            raise next(runner.error for runner in runners if runner.error is not None)
        tables = [runner.op_table(rounds) if ops else ((), "") for runner in finished]
    first = finished[0].rounds
    return ProfileReport(
        tuple(
            Measured(
                runner.subject,
                Latency.of(runner.rounds),
                *(_ratio(runner.rounds, first) if runner is not finished[0] else (None, None)),
                *table,
                runner.notes,
            )
            for runner, table in zip(finished, tables, strict=True)
        ),
        host,
        finished[0].threads,
        rounds,
        warmup,
        when,
        tuple(FailedMeasurement(one.subject, one.error) for one in runners if one.error),
    )


def _turned(runners: Sequence[_Runner], number: int) -> list[_Runner]:
    """Rotate and reverse the order by round, so that no artifact always follows the same one."""
    start = number // 2 % len(runners)
    order = [*runners[start:], *runners[:start]]
    return order[::-1] if number % 2 else order


def _ratio(rounds: Sequence[float], first: Sequence[float]) -> tuple[float, tuple[float, float]]:
    ratios = [mine / theirs for mine, theirs in zip(rounds, first, strict=True)]
    low, median, high = np.percentile(ratios, [25, 50, 75])
    return float(median), (float(low), float(high))


class OpenedHere:
    """Artifact opened in a process of its own on this machine."""

    notes = ()

    def __init__(self, subject: Subject, threads: int, limit: float = TIMEOUT) -> None:
        self._worker = Worker(subject.format, threads, limit)
        self.threads = self._worker.threads
        try:
            self._worker.open(subject.path)
            inputs = subject.inputs or [drawn(spec) for spec in self._worker.inputs]
            self._arrays = fitted(self._worker.inputs, inputs, str(subject.path))
        except EdgevitError:
            self.close()
            raise

    def seconds(self, runs: int) -> list[float]:
        return self._worker.seconds(self._arrays, runs)

    def op_times(self, repeats: int) -> tuple[OpTime, ...]:
        return self._worker.op_times(self._arrays, repeats)

    def close(self) -> None:
        self._worker.__exit__(None, None, None)


class _Runner:
    """One artifact and the times of its turns. A lost device is retried once."""

    def __init__(self, subject: Subject, threads: int, opener: Opener) -> None:
        self.subject = subject
        self.rounds: list[float] = []
        self.threads = threads
        self.notes: tuple[str, ...] = ()
        self.error: EdgevitError | None = None
        self._open = opener
        self._opened: Opened | None = None
        self._runs = 1
        self._retries = 1

    def __enter__(self) -> _Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def attempt(self, step: Callable[[], None], keep_going: bool) -> None:
        """Run a step with a retry. Do nothing if the artifact is lost.

        `keep_going`: record the step's error instead of raising it.
        """
        if self.error is not None:
            return
        try:
            self._with_retry(step)
        except EdgevitError as error:
            self._close()
            if not keep_going:
                raise
            self.error = error

    def warm_up(self, runs: int) -> None:
        """Open the artifact, run it, and choose the number of runs per turn."""
        taken = self._device().seconds(max(runs, 1) + 1)
        self._runs = max(1, min(_MOST, round(_TURN / max(min(taken), 1e-9))))

    def take_round(self) -> None:
        taken = self._device().seconds(1 + self._runs)
        self.rounds.append(statistics.median(taken[1:]))

    def op_table(self, repeats: int) -> tuple[tuple[OpTime, ...], str]:
        try:
            return self._device().op_times(repeats), ""
        except EdgevitError as error:
            return (), error.why or error.message

    def _with_retry(self, step: Callable[[], None]) -> None:
        try:
            step()
        except DeviceError as error:
            if not (error.retryable and self._retries):
                raise
            self._retries -= 1
            self._close()
            step()

    def _device(self) -> Opened:
        if self._opened is None:
            self._opened = self._open(self.subject, self.threads)
            self.threads, self.notes = self._opened.threads, self._opened.notes
        return self._opened

    def _close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


def drawn(spec: TensorSpec) -> np.ndarray:
    """Draw a random input for an artifact without inputs.

    Timing hardly depends on values, as long as they are ordinary.
    """
    generator = np.random.default_rng(0)
    if not all(isinstance(extent, int) and extent > 0 for extent in spec.shape):
        raise PackageError(
            f"the input {spec} has no fixed size",
            hint="export it with a fixed size, to be timed here",
        )
    if spec.dtype.startswith("float"):
        return generator.standard_normal(spec.shape).astype(spec.dtype)
    return generator.integers(0, 2, spec.shape).astype(spec.dtype)


def require_timed(subject: Subject, where: str) -> None:
    """Refuse a format that no Python runtime of a host machine runs, with a `PackageError`."""
    taken = [name for name in host_formats() if info_of(name).libraries]
    if subject.format not in taken:
        raise PackageError(
            f"a {subject.format} artifact does not run there",
            where=f"{subject.path}  on {where}",
            hint="profile an export in " + ", ".join(taken),
        )


def _require_runs_here(manifest: dict[str, Any], folder: Path) -> None:
    if manifest["format"] not in host_formats():
        raise PackageError(
            f"a {manifest['format']} artifact does not run on this machine",
            where=str(folder),
            why="there is no runtime for it here; nothing can be measured",
            hint="--on emulator runs firmware"
            if manifest["format"] in firmware_formats()
            else "--on mac or iphone, at a Mac; or profile an export in "
            + ", ".join(host_formats()),
        )
