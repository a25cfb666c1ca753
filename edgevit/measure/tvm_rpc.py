"""`tvm://tracker:port/key`: a board behind TVM's own RPC tracker, timed by the board's clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from edgevit.backends import OpTime, fitted
from edgevit.backends.tvm import INFO
from edgevit.errors import BackendRuntimeError, UsageError
from edgevit.measure.device import DeviceState, unknown_device
from edgevit.measure.figures import Settings
from edgevit.measure.interleaved import ByTurns
from edgevit.measure.outputs import compare_outputs
from edgevit.measure.timing import Opener, Subject, drawn, subject_of


def open_runner(address: str) -> TvmRunner:
    parts = urlsplit(address)
    try:
        host, port, key = parts.hostname, parts.port, parts.path.strip("/")
    except ValueError:
        host = port = key = None
    if not host or not port or not key:
        raise UsageError(f"`{address}` is no tracker's address", hint="tvm://127.0.0.1:9190/board")
    return TvmRunner(host, port, key)


class TvmRunner(ByTurns):
    cacheable = False

    def __init__(self, host: str, port: int, key: str) -> None:
        self.address = f"tvm://{host}:{port}/{key}"
        self._where = (host, port, key)

    def device(self) -> DeviceState:
        """Return an unknown device: RPC reports nothing about the machine."""
        return unknown_device(f"`{self._where[2]}` behind TVM's tracker", self.address)

    def subject(self, path: str | Path) -> Subject:
        subject = subject_of(path, here=False)
        if subject.format != INFO.name:
            raise UsageError(
                f"a {subject.format} artifact does not run behind TVM's RPC",
                where=str(subject.path),
                hint="--format tvm; ssh://user@host runs the others",
            )
        return subject

    def opener(self, device: DeviceState, settings: Settings) -> Opener:
        def opened(subject: Subject, threads: int) -> OpenedBehindTracker:
            return OpenedBehindTracker(subject, threads, self._where)

        return opened


class OpenedBehindTracker:
    def __init__(self, subject: Subject, threads: int, where: tuple[str, int, str]) -> None:
        from edgevit.backends.tvm import RemoteSession

        self.threads = threads
        self._session: Any = RemoteSession(subject.path, *where)
        inputs = subject.inputs or [drawn(spec) for spec in self._session.inputs]
        self._arrays = fitted(self._session.inputs, inputs, str(subject.path))
        try:
            outputs = [np.asarray(array) for array in self._session.run(self._arrays)]
        except Exception as error:  # its errors have no common base
            raise self._failed(error) from error
        self.notes = compare_outputs(subject, outputs, where[2])
        if threads:
            self.notes += ("the server chooses the threads (TVM_NUM_THREADS there)",)

    def seconds(self, runs: int) -> list[float]:
        try:
            return self._session.seconds(self._arrays, runs)
        except Exception as error:
            raise self._failed(error) from error

    def op_times(self, repeats: int) -> tuple[OpTime, ...]:
        return self._session.op_times(self._arrays, repeats)

    def close(self) -> None:
        self._session = None  # dropping it closes the connection

    def _failed(self, error: Exception) -> BackendRuntimeError:
        return BackendRuntimeError(
            "the board behind the tracker failed",
            why=f"{type(error).__name__}: {str(error).strip().splitlines()[-1:]}"[:400],
            hint="is its server still up?",
        )
