"""`edgevit profile`: how long artifacts take on this machine, measured by turns so that a busy moment hits all alike.

Each artifact runs in a process of its own. A round gives each of them one turn, in an order that changes from round
to round; in a turn one run warms the caches that the others have filled, and the next ones count. A round's figure is
the median of its turn, the figure of an artifact the median of its rounds. Two artifacts are compared round by round.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgevit.backends.on_host import fitted
from edgevit.backends.session import OpTime, TensorSpec
from edgevit.backends.worker import TIMEOUT, Worker
from edgevit.errors import DeviceError, EdgevitError, PackageError, UsageError
from edgevit.exported.golden import load_golden
from edgevit.exported.manifest import (
    expand_folders,
    read_manifest,
    require_ours,
    require_trusted_file,
    require_trusted_model,
    require_untouched,
)
from edgevit.support.backend_info import firmware_formats, host_formats, host_suffixes
from edgevit.support.choice import Choice
from edgevit.support.host import Host, now, this_host

_TURN = 0.05  # seconds that a turn should last, so that the clock's grain does not count
_MOST = 50  # runs in a turn


@dataclass(frozen=True)
class Subject:
    """What is to be timed, and what it is fed."""

    label: str
    format: str
    path: Path
    inputs: tuple[np.ndarray, ...] | None  # None: drawn for what the artifact says it takes
    versions: dict[str, str]
    threads: int = 0  # 0: as many as all that are measured together


@dataclass(frozen=True)
class Latency:
    """Seconds. `low` and `high` hold the middle half of the rounds."""

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
        """Half the width of the middle half, relative to the median."""
        return (self.high - self.low) / 2 / self.median


@dataclass(frozen=True)
class Measured:
    subject: Subject
    latency: Latency
    ratio: float | None  # to the first subject, median over rounds; None for the first itself
    ratio_spread: tuple[float, float] | None  # the middle half of the rounds
    ops: tuple[OpTime, ...]
    ops_missing: str = ""  # why there is no table of ops
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lost:
    """What has no figure, and why."""

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
    lost: tuple[Lost, ...] = ()


class Opened(Protocol):
    """An artifact opened in its runtime, here or on a device. Its clock is the device's own."""

    threads: int
    notes: tuple[str, ...]  # what to tell beside the figure

    def seconds(self, runs: int) -> list[float]:
        """Of each of `runs` runs, or fewer figures where the device only tells means: the first warms the caches."""
        ...

    def op_times(self, repeats: int) -> tuple[OpTime, ...]: ...

    def close(self) -> None: ...


Opener = Callable[[Subject, int], Opened]  # the second is the number of threads; 0: all cores


def threads_choice(cores: int) -> list[Choice]:
    """How many threads to run with, on a device of so many cores."""
    if cores < 2:
        return []
    counts = sorted({1, *(2**k for k in range(1, cores.bit_length()) if 2**k < cores)})
    why = "small nets lose more by waiting for threads than they gain"
    return [Choice("threads", ("all", *map(str, counts)), "all", why)]


def subject_of(path: str | Path, here: bool = True) -> Subject:
    """An exported folder, or an artifact of anyone's making by its suffix. `here`: it must run on this machine."""
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
    """Refuse what is code, and not of this user, before any runner touches it."""
    path = Path(path)
    if path.is_file():
        require_trusted_file(path, host_suffixes().get(path.suffix, ""), trust)
    else:
        require_ours(path, read_manifest(path), trust)


def eager_subject(folder: str | Path, trust: bool = False) -> Subject:
    """The model of an exported folder in PyTorch itself, on the same input."""
    path = Path(folder)
    manifest = read_manifest(path)
    require_untouched(path, manifest)
    require_trusted_model(path, trust)
    inputs = tuple(tensor.numpy() for tensor in load_golden(path)[0])
    versions = {"torch": manifest["versions"].get("torch", "")}
    return Subject(f"{manifest['model']['name']} eager", "eager", path, inputs, versions)


def profile(
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
    """Raises an `EdgevitError` when one of them is damaged or does not run here."""
    if not paths:
        raise UsageError("nothing to profile", hint="edgevit profile DIR...")
    found = expand_folders([Path(path) for path in paths])
    for path in found:
        require_trusted(path, trust)
    subjects = [subject_of(path) for path in found]
    if eager:
        subjects.append(eager_subject(found[0], trust))
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
    lose: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> ProfileReport:
    """By turns, here or where `opener` opens. With `lose`, what fails is left out and told, unless all do."""
    host, when = host or this_host(), now()
    with contextlib.ExitStack() as stack:
        runners = [
            stack.enter_context(_Runner(subject, subject.threads or threads, opener or OpenedHere))
            for subject in subjects
        ]
        for runner in runners:
            progress(f"warm up {runner.subject.label}")
            runner.attempt(lambda one=runner: one.warm_up(warmup), lose)
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}")
            for runner in _turned(runners, number):
                runner.attempt(runner.take_turn, lose)
        kept = [runner for runner in runners if runner.error is None]
        if not kept:
            raise next(runner.error for runner in runners if runner.error is not None)
        tables = [runner.op_table(rounds) if ops else ((), "") for runner in kept]
    first = kept[0].rounds
    return ProfileReport(
        tuple(
            Measured(
                runner.subject,
                Latency.of(runner.rounds),
                *(_ratio(runner.rounds, first) if runner is not kept[0] else (None, None)),
                *table,
                runner.notes,
            )
            for runner, table in zip(kept, tables, strict=True)
        ),
        host,
        kept[0].threads,
        rounds,
        warmup,
        when,
        tuple(Lost(runner.subject, runner.error) for runner in runners if runner.error is not None),
    )


def _turned(runners: Sequence[_Runner], number: int) -> list[_Runner]:
    """Nobody always follows the same one: forwards, then backwards, from another start each time."""
    start = number // 2 % len(runners)
    order = [*runners[start:], *runners[:start]]
    return order[::-1] if number % 2 else order


def _ratio(rounds: Sequence[float], first: Sequence[float]) -> tuple[float, tuple[float, float]]:
    ratios = [mine / theirs for mine, theirs in zip(rounds, first, strict=True)]
    low, median, high = np.percentile(ratios, [25, 50, 75])
    return float(median), (float(low), float(high))


class OpenedHere:
    """An artifact in a process of its own on this machine."""

    notes = ()

    def __init__(self, subject: Subject, threads: int, limit: float = TIMEOUT) -> None:
        self._worker = Worker(subject.format, threads, limit)
        self.threads = self._worker.threads
        try:
            self._worker.open(subject.path)
            given = subject.inputs or [drawn(spec) for spec in self._worker.inputs]
            self._arrays = fitted(self._worker.inputs, given, str(subject.path))
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
    """One artifact, and what its turns have taken. A lost device is asked once more."""

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

    def attempt(self, step: Callable[[], None], lose: bool) -> None:
        """Does nothing once the artifact is lost."""
        if self.error is not None:
            return
        try:
            self._with_retry(step)
        except EdgevitError as error:
            self._close()
            if not lose:
                raise
            self.error = error

    def warm_up(self, runs: int) -> None:
        """Opens the artifact, and sees how many runs make a turn."""
        taken = self._device().seconds(max(runs, 1) + 1)
        self._runs = max(1, min(_MOST, round(_TURN / max(min(taken), 1e-9))))

    def take_turn(self) -> None:
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
            if not (error.passing and self._retries):
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
    """For an artifact that comes without its inputs. Timing hardly depends on values, as long as they are ordinary."""
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
    """Raises a `PackageError` for a format that has no latency on a machine like this one."""
    if subject.format not in host_formats():
        raise PackageError(
            f"a {subject.format} artifact does not run there",
            where=f"{subject.path}  on {where}",
            hint="profile an export in " + ", ".join(host_formats()),
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
