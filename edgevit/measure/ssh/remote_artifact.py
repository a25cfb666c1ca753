"""Artifact on a board: pushed, opened and timed by `remote_main.py`, and deleted afterwards."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgevit.backends import REMOTE_MAIN, OpTime, TensorSpec, fitted
from edgevit.errors import BackendRuntimeError, DeviceError, EdgevitError, MissingToolError
from edgevit.measure.outputs import compare_outputs
from edgevit.measure.ssh.shell import Shell, quoted
from edgevit.measure.timing import Subject, drawn
from edgevit.support.backend_info import info_of

_GRACE = 10.0  # seconds beyond the remote process's own timeout
_ALARM = 128 + 14  # shell exit code of a child killed by SIGALRM
_SPARE = 1 << 20  # bytes to leave on the board
_SLOWEST = 50_000  # bytes per second over the slowest link
_MARK = re.compile(r"/edgevit\.\w+$")


class OpenedThere:
    """Counterpart of `OpenedHere` over ssh. Leaves no files on the board, if either side dies."""

    def __init__(self, shell: Shell, subject: Subject, threads: int, limit: float) -> None:
        self.threads = threads
        self.notes: tuple[str, ...] = ()
        self._shell, self._subject, self._limit = shell, subject, limit
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as this
        folder = _pushed(shell, subject)
        self._process = self._start(folder)
        try:
            declared = [
                TensorSpec(s["name"], tuple(s["shape"]), s["dtype"]) for s in self._ask(do="open")
            ]
            inputs = subject.inputs or [drawn(spec) for spec in declared]
            arrays = fitted(declared, inputs, str(subject.path))
            outputs = _unpacked(self._ask(do="run", arrays=_packed(arrays)))
            self.notes = compare_outputs(subject, outputs, shell.address.host)
        except BaseException:
            self.close()
            raise

    def seconds(self, runs: int) -> list[float]:
        return self._ask(do="seconds", runs=runs)

    def op_times(self, repeats: int) -> tuple[OpTime, ...]:
        raise BackendRuntimeError(
            "no table of ops", why="runtimes' own profilers are read here only"
        )

    def close(self) -> None:
        """Close the remote process's input, on which it deletes its folder and ends."""
        process = self._process
        with contextlib.suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        try:
            process.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._log.close()

    def _start(self, folder: str) -> subprocess.Popen[bytes]:
        words = [self._shell.address.python, REMOTE_MAIN.name, self._subject.format]
        words += [self._subject.path.name, str(self.threads), f"{self._limit:g}"]
        line = " ".join(map(quoted, words))
        gone = f"cd / && rm -rf {quoted(folder)}"
        script = (
            f'trap "{gone}" EXIT; trap "exit 1" HUP TERM; cd {quoted(folder)} && {line}; exit $?'
        )
        return subprocess.Popen(
            self._shell.command(f"sh -c {quoted(script)}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def _ask(self, **request: object) -> Any:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        watch = threading.Timer(self._limit + _GRACE, process.kill)
        watch.start()
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
            answer = json.loads(line)
        except (OSError, ValueError) as error:
            raise self._death() from error
        finally:
            watch.cancel()
        if "ok" in answer:
            return answer["ok"]
        raise self._refused(answer)

    def _refused(self, answer: dict[str, str]) -> EdgevitError:
        host, format = self._shell.address.host, self._subject.format
        if "missing" in answer:
            return MissingToolError(
                f"{answer['missing']} is not installed on {host}",
                where=self._shell.address.text,
                why=f"{self._shell.address.python} over there runs the artifact with it",
                hint=f"there: {self._shell.address.python} -m pip install {info_of(format).libraries[0]} numpy; or ?python=/path",
            )
        return BackendRuntimeError(
            f"the {format} runtime on {host} cannot run {self._subject.path.name}",
            where=self._shell.address.text,
            why=answer["error"],
        )

    def _death(self) -> EdgevitError:
        try:
            code = self._process.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")
        where = self._shell.address.text
        if code in {_ALARM, -9}:
            return BackendRuntimeError(
                f"{self._subject.path.name} hangs on {self._shell.address.host}",
                where=where,
                why=f"no answer in {self._limit:g} s; it was killed there",
                hint="--limit gives it longer",
            )
        if code == 255:
            return self._shell.failure(code, said)
        return BackendRuntimeError(
            f"the {self._subject.format} runtime died on {self._shell.address.host}",
            where=where,
            why="\n".join([f"exit code {code}", *said.strip().splitlines()[-3:]]),
            hint="is the runtime over there of a version that knows this file?",
        )


def _pushed(shell: Shell, subject: Subject) -> str:
    """Push the artifact and `remote_main.py` to a new folder on the board. Return the folder."""
    files = [subject.path, REMOTE_MAIN]
    suffixes = info_of(subject.format).beside
    beside = [subject.path.with_name(subject.path.name + suffix) for suffix in suffixes]
    files += [file for file in beside if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    within = shell.address.folder
    _require_space(shell, within, size)
    folder = shell.run(f"mktemp -d {quoted(within)}/edgevit.XXXXXXXX").strip()
    if not _MARK.search(folder):
        raise DeviceError(
            f"{shell.address.host} gives no folder to work in", where=shell.address.text, why=folder
        )
    try:
        shell.push(files, folder, 60 + size / _SLOWEST)
    except EdgevitError as error:
        free = size  # free space unknown: do not blame it
        with contextlib.suppress(EdgevitError):
            free = _free(shell, within)
            shell.run(f"rm -rf {quoted(folder)}")
        if free < size:
            raise _no_space(shell, within, size, free) from error
        raise
    return folder


def _require_space(shell: Shell, folder: str, size: int) -> None:
    free = _free(shell, folder)
    if free < size + _SPARE:
        raise _no_space(shell, folder, size + _SPARE, free)


def _free(shell: Shell, folder: str) -> int:
    """Return the free bytes: the fourth column of the last line of `df -Pk` (POSIX)."""
    return int(shell.run(f"df -Pk {quoted(folder)}").splitlines()[-1].split()[3]) * 1024


def _no_space(shell: Shell, folder: str, needed: int, free: int) -> DeviceError:
    return DeviceError(
        f"no space left on {shell.address.host}",
        where=f"{shell.address.text}  {folder}",
        why=f"{needed / 1e6:.1f} MB are needed, {free / 1e6:.1f} MB are free",
        hint="free some space there, or ?dir=/path takes another disk",
    )


def _packed(arrays: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    return [
        {
            "dtype": str(a.dtype),
            "shape": list(a.shape),
            "data": base64.b64encode(np.ascontiguousarray(a).tobytes()).decode(),
        }
        for a in arrays
    ]


def _unpacked(packed: Sequence[dict[str, Any]]) -> list[np.ndarray]:
    return [
        np.frombuffer(base64.b64decode(p["data"]), p["dtype"]).reshape(p["shape"]) for p in packed
    ]
