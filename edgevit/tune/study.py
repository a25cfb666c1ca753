"""Study: trials in a database that several workers share. A worker may be killed at any time.

Optuna stores the trials and proposes points. Beside its own columns a trial has: `key` of the
point, `worker` and `beat` while it runs, and at its end either `result` or `refused`. A finished
point is never tried again.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import MissingToolError, StoreError, is_connection_string, without_secrets
from edgevit.support.shape import (
    Anything,
    Listing,
    Number,
    ShapeError,
    Table,
    Text,
    WholeNumber,
    require_shape,
)
from edgevit.tune.space import FORMAT, Point, Space, point_key

_STALE = 1800.0  # seconds without a heartbeat until a remote worker counts as dead
_TRIES = 1000  # draws until a new point is found
_MISSES = 5  # repeated proposals in a row before random draws
NOTE = Table(
    {
        "graph": Text(),
        "no_effect": Table(others=Listing(Listing(Text(), 2, 2))),
        "convert_threads": WholeNumber(1, 256),
    }
)
_RENAMED = {"inert": "no_effect"}  # keys of notes in studies of an earlier version
_RESULT = Table({"values": Listing(Number())}, others=Anything())
_TRIAL = Table(
    {"key": Text(), "point": Table(others=Text()), "result": _RESULT, "refused": Text(plain=False)},
    optional=("result", "refused"),
    others=Anything(),
)


@dataclass(frozen=True)
class FinishedTrial:
    """Finished trial. Without `values` it was refused."""

    number: int
    key: str
    point: Point
    values: tuple[float, ...]
    result: dict[str, Any]
    refused: str = ""


@dataclass(frozen=True)
class Running:
    number: int
    point: Point
    key: str


@dataclass(frozen=True)
class Sampling:
    """How points are proposed. `population`: of NSGA-II; None: by TPE. `seed`: None for any."""

    population: int | None = None
    seed: int | None = None

    def sampler(self, samplers: Any) -> Any:
        if self.population is not None:
            return samplers.NSGAIISampler(population_size=self.population, seed=self.seed)
        return samplers.TPESampler(
            n_startup_trials=8, multivariate=True, group=True, constant_liar=True, seed=self.seed
        )

    def generator(self) -> random.Random:
        own = f"{os.getpid()} {socket.gethostname()}"
        return random.Random(own if self.seed is None else self.seed)


BY_TPE = Sampling()


class Study:
    def __init__(self, url: str, name: str, objectives: int, sampling: Sampling = BY_TPE) -> None:
        optuna = _optuna()
        self._states = optuna.trial.TrialState
        self._study = _opened(optuna, url, name, objectives, sampling)
        self._random = sampling.generator()

    def note(self, name: str, shape: Table = NOTE) -> Any:
        """Return a value that is computed once for all workers, or None before."""
        value = self._study.user_attrs.get(name)
        if value is not None:
            if isinstance(value, dict):
                value = {_RENAMED.get(key, key): part for key, part in value.items()}
            _require(value, shape, f"the note `{name}`")
        return value

    def set_note(self, name: str, value: Any) -> None:
        self._study.set_user_attr(name, value)

    def tried(self) -> list[FinishedTrial]:
        trials = []
        for trial in self._study.get_trials(deepcopy=False):
            attrs = trial.user_attrs
            if "result" not in attrs and "refused" not in attrs:
                continue
            _require(attrs, _TRIAL, f"trial {trial.number}")
            result = attrs.get("result", {})
            values = tuple(result.get("values", ()))
            refused = attrs.get("refused", "")
            trials.append(
                FinishedTrial(trial.number, attrs["key"], attrs["point"], values, result, refused)
            )
        return trials

    def recover(self) -> list[int]:
        """Queue the trials of dead workers again, and return their numbers."""
        lost = []
        for trial in self._study.get_trials(deepcopy=False, states=(self._states.RUNNING,)):
            if not _is_gone(trial):
                continue
            attrs = trial.user_attrs
            try:
                if "result" in attrs:  # finished, but not reported to the study
                    self._study.tell(trial.number, attrs["result"]["values"])
                    continue
                self._study.tell(trial.number, state=self._states.FAIL)
            except ValueError:  # another worker was faster
                continue
            if "point" in attrs and "refused" not in attrs:
                self._queue(attrs["point"])
                lost.append(trial.number)
        return lost

    def begin(self, space: Space, proposals: Sequence[Point]) -> Running | None:
        """Begin a trial of the first free point of `proposals`, else of one that the sampler proposes.

        A free point is neither finished nor running. Return None if no free point is left.
        """
        if len(self._taken()) >= space.size():
            return None
        for miss in range(_TRIES):
            taken = self._taken()
            point = next((p for p in proposals if point_key(p) not in taken), None)
            if point is None and miss >= _MISSES:
                drawn = (space.drawn(self._random) for _ in range(_TRIES))
                point = next((p for p in drawn if point_key(p) not in taken), None)
                if point is None:
                    return None
            if point is not None:
                self._queue(point)
            trial = self._study.ask()
            asked = _sampled(trial, space)
            key = point_key(asked)
            if key in taken:
                self._study.tell(trial, state=self._states.FAIL)
                continue
            for name, value in (("worker", _worker()), ("key", key), ("point", dict(asked))):
                trial.set_user_attr(name, value)
            self.beat(trial.number)
            if self._other_at(key, trial.number):  # concurrent: the first trial keeps the point
                self._study.tell(trial, state=self._states.FAIL)
                continue
            return Running(trial.number, asked, key)
        return None

    def beat(self, number: int) -> None:
        """Record a heartbeat of a running trial."""
        self._storage_attr(number, "beat", time.time())

    def finish(self, running: Running, values: Sequence[float], result: dict[str, Any]) -> None:
        self._storage_attr(running.number, "result", {**result, "values": list(values)})
        self._study.tell(running.number, list(values), skip_if_finished=True)

    def refuse(self, running: Running, why: str) -> None:
        self._storage_attr(running.number, "refused", why)
        self._study.tell(running.number, state=self._states.FAIL, skip_if_finished=True)

    def drop(self, running: Running) -> None:
        """Discard a running trial, so that its point may be tried again."""
        self._study.tell(running.number, state=self._states.FAIL, skip_if_finished=True)

    def _taken(self) -> set[str]:
        """Return the keys of finished and running trials."""
        at_it = self._study.get_trials(deepcopy=False, states=(self._states.RUNNING,))
        keys = {trial.user_attrs["key"] for trial in at_it if "key" in trial.user_attrs}
        return keys | {tried.key for tried in self.tried()}

    def _other_at(self, key: str, number: int) -> bool:
        at_it = self._study.get_trials(deepcopy=False, states=(self._states.RUNNING,))
        return any(t.user_attrs.get("key") == key and t.number < number for t in at_it)

    def _queue(self, point: Point) -> None:
        format = point[FORMAT]
        values = {_name(format, name): option for name, option in point.items()}
        self._study.enqueue_trial(values, skip_if_exists=False)

    def _storage_attr(self, number: int, name: str, value: Any) -> None:
        storage = self._study._storage
        trial_id = storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)
        storage.set_trial_user_attr(trial_id, name, value)


def _require(value: Any, shape: Table, what: str) -> None:
    """Refuse values that do not match their schema: a study file is untrusted."""
    try:
        require_shape(value, shape)
    except ShapeError as error:
        raise StoreError(
            f"{what} of the study has another shape",
            where=error.at,
            why=error.why,
            hint="--study another file, or tune into another folder",
        ) from error


def _name(format: str, choice: str) -> str:
    """Return the name of an Optuna parameter: each format has choices of its own."""
    return choice if choice == FORMAT else f"{format}.{choice}"


def _sampled(trial: Any, space: Space) -> Point:
    format = trial.suggest_categorical(FORMAT, space.formats)
    point = {FORMAT: format}
    for choice in space.choices[format]:
        point[choice.name] = trial.suggest_categorical(_name(format, choice.name), choice.options)
    return point


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MissingToolError(
            "optuna is not installed", why=str(error), hint="pip install 'edgevit[tune]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _opened(optuna: Any, url: str, name: str, objectives: int, sampling: Sampling) -> Any:
    import warnings

    if is_connection_string(url):
        raise StoreError(
            "the study takes a URL, not a connection string",
            where=url,
            why="it is kept by SQLAlchemy, which takes a URL",
            hint="--study postgresql://user@host/database; the password in PGPASSWORD",
        )
    if "://" not in url:
        Path(url).parent.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{Path(url).absolute()}"
    if url.startswith(("postgresql://", "postgres://")):
        url = "postgresql+psycopg://" + url.partition("://")[2]
    connect: dict[str, Any] = {"timeout": 60}
    if not url.startswith(
        "sqlite"
    ):  # a server may call its encoding SQL_ASCII, and answer in bytes
        connect = {"connect_timeout": 10, "client_encoding": "utf8"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sampler's groups are called experimental
        sampler = sampling.sampler(optuna.samplers)
        try:
            storage = optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": connect})
            return optuna.create_study(
                storage=storage,
                study_name=name,
                sampler=sampler,
                directions=["minimize"] * objectives,
                load_if_exists=True,
            )
        except ModuleNotFoundError as error:
            raise MissingToolError(
                "psycopg is not installed", why=str(error), hint="pip install 'edgevit[store]'"
            ) from error
        except Exception as error:
            raise StoreError(
                "the study cannot be opened",
                where=url,
                why=without_secrets((str(error).splitlines() or [type(error).__name__])[0], url),
                hint="--study takes a file, or postgresql://user@host/database",
            ) from error


def _worker() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def _is_gone(trial: Any) -> bool:
    """Return True if a trial's worker is dead.

    On this machine its process is looked up. Elsewhere a stale heartbeat counts.
    """
    attrs = trial.user_attrs
    worker = attrs.get("worker")
    if worker is None or worker["host"] != socket.gethostname():
        begun = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
        return time.time() - max(attrs.get("beat", 0.0), begun) > _STALE
    return _started(worker["pid"]) != worker["started"]


def _started(pid: int) -> str | None:
    """Return a process's start time in ticks since boot: process numbers are reused."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _alive(pid)
    return stat.rpartition(")")[2].split()[19]


def _alive(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return "alive"
