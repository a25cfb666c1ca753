"""Runner of adb addresses."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
import uuid
from pathlib import Path
from urllib.parse import parse_qsl

from edgevit.backends import OpTime
from edgevit.errors import BackendRuntimeError, DeviceError, EdgevitError, UsageError
from edgevit.measure.adb.binaries import device_binaries
from edgevit.measure.adb.bridge import Bridge
from edgevit.measure.adb.state import state_of
from edgevit.measure.device import DeviceState
from edgevit.measure.figures import Settings
from edgevit.measure.interleaved import ByTurns
from edgevit.measure.machines import require_machine
from edgevit.measure.timing import Opener, Subject, subject_of

_WORK = "/data/local/tmp"  # where the shell's user may write and execute
_SPARE = 1 << 20  # bytes to leave on the device


def open_runner(address: str) -> AdbRunner:
    place, _, query = address.partition("?")
    options = dict(parse_qsl(query))
    if set(options) - {"runner"}:
        raise UsageError(f"`{address}` has an option that is not known", hint="adb:SERIAL?runner=/path")  # fmt: skip
    return AdbRunner(place.removeprefix("adb").removeprefix(":"), options.get("runner"))


class AdbRunner(ByTurns):
    def __init__(self, serial: str, binary: str | None) -> None:
        self._bridge = Bridge(serial)
        self._binary = binary
        self.address = self._bridge.where

    def device(self) -> DeviceState:
        return state_of(self._bridge)

    def subject(self, path: str | Path) -> Subject:
        subject = subject_of(path, here=False)
        if subject.format not in device_binaries():
            raise UsageError(
                f"a {subject.format} artifact is not timed by adb",
                where=str(subject.path),
                why="the runtimes' benchmark binaries are for " + " and ".join(device_binaries()),
                hint="--format tflite, or executorch",
            )
        if self._binary is None:
            name = device_binaries()[subject.format].name
            raise UsageError(
                f"which {name} should run on the device?",
                why=f"a .{subject.path.suffix.lstrip('.')} is timed by it",
                hint=f"--on '{self.address}?runner=/path/to/{name}'",
            )
        if not self._is_there() and not Path(self._binary).is_file():
            raise UsageError(f"there is no {self._binary}", hint="runner= is a file")
        return subject

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        binary = self._binary or ""
        if not self._is_there():
            binary = hashlib.sha256(Path(binary).read_bytes()).hexdigest()
        return {**super().settings_key(subject, settings), "binary": binary}

    def opener(self, device: DeviceState, settings: Settings) -> Opener:
        def opened(subject: Subject, threads: int) -> OpenedOnAndroid:
            require_machine(subject, device.machine, self.address)
            pushed = None if self._is_there() else Path(self._binary or "")
            there = self._binary or ""
            how = (pushed, there, threads or device.cores, settings.limit)
            return OpenedOnAndroid(self._bridge, subject, *how)

        return opened

    def _is_there(self) -> bool:
        return (self._binary or "").startswith("/data/")


class OpenedOnAndroid:
    def __init__(
        self,
        bridge: Bridge,
        subject: Subject,
        pushed: Path | None,
        there: str,
        threads: int,
        limit: float,
    ) -> None:
        self.threads = threads
        self._bridge, self._subject, self._limit = bridge, subject, limit
        self._kind = device_binaries()[subject.format]
        self.notes = (f"the mean of runs, by {self._kind.name}; outputs are not compared",)
        self._folder = f"{_WORK}/edgevit.{uuid.uuid4().hex[:8]}"
        files = [subject.path, *([pushed] if pushed else [])]
        self._require_space(sum(file.stat().st_size for file in files))
        self._binary = f"{self._folder}/{pushed.name}" if pushed else there
        try:
            bridge.shell(f"mkdir {self._folder}")
            for file in files:
                bridge.push(file, self._folder)
            if pushed:
                bridge.shell(f"chmod 755 {shlex.quote(self._binary)}")
        except BaseException:
            self.close()
            raise

    def seconds(self, runs: int) -> list[float]:
        artifact = f"{self._folder}/{self._subject.path.name}"
        line = self._kind.line(self._binary, artifact, self.threads, runs)
        said = self._bridge.timed(line, self._limit, self._subject.path.name)
        return self._kind.seconds(said, runs)

    def op_times(self, repeats: int) -> tuple[OpTime, ...]:
        raise BackendRuntimeError(
            "no table of ops", why="runtimes' own profilers are read here only"
        )

    def close(self) -> None:
        with contextlib.suppress(EdgevitError):
            self._bridge.shell(f"rm -rf {self._folder}")

    def _require_space(self, size: int) -> None:
        """Refuse to push `size` bytes to a device without space.

        The free space in KB is the fourth column of the last line of `df -k`.
        """
        said = self._bridge.shell(f"df -k {_WORK}").strip().splitlines()
        fields = said[-1].split() if said else []
        if len(fields) < 4 or not fields[3].isdigit():
            return  # an old `df`: the push reports a full device
        free = int(fields[3]) * 1024
        if free < size + _SPARE:
            raise DeviceError(
                "no space left on the device",
                where=f"{self._bridge.where}  {_WORK}",
                why=f"{(size + _SPARE) / 1e6:.1f} MB are needed, {free / 1e6:.1f} MB are free",
                hint="free some there",
            )
