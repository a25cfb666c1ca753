"""Commands on a device by `adb`, and translation of its error messages."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgevit.errors import BackendRuntimeError, DeviceError, MissingToolError

# part of adb's message -> error, hint
_KNOWN = (
    ("no devices", "no Android device is connected", "connect one, with USB debugging on"),
    ("not found", "no Android device with this serial is connected", "`adb devices` lists them"),
    ("unauthorized", "the device does not trust this computer yet", "accept the key on its screen"),
    ("offline", "the device is offline", "unplug it and plug it in again"),
    ("more than one", "several Android devices are connected", "--on adb:SERIAL chooses one"),
    ("cannot connect to daemon", "adb's server does not start", "`adb start-server` says why"),
    ("closed", "the device is lost", "is the cable sound?"),
)
_HUNG = (124, 137, 143)  # exit codes of `timeout` on the device


class Bridge:
    def __init__(self, serial: str) -> None:
        self.serial = serial
        self.where = f"adb:{serial}" if serial else "adb"

    def shell(self, line: str, limit: float = 60.0) -> str:
        return self._run(["shell", line], limit)

    def timed(self, line: str, limit: float, name: str) -> str:
        """Run a command that is killed on the device after `limit` seconds, and here 10 s later."""
        try:
            return self._run(["shell", f"timeout {limit:g} {line}"], limit + 10, hung=_HUNG)
        except TimeoutError as error:
            raise BackendRuntimeError(
                f"{name} hangs on the device",
                where=self.where,
                why=f"no answer in {limit:g} s; it was killed there",
                hint="--limit gives it longer",
            ) from error

    def push(self, file: Path, folder: str) -> None:
        size = file.stat().st_size
        self._run(["push", str(file.absolute()), f"{folder}/"], 60 + size / 100_000)

    def _run(self, words: Sequence[str], limit: float, hung: Sequence[int] = ()) -> str:
        chosen = ["-s", self.serial] if self.serial else []
        try:
            done = subprocess.run(
                [_tool(), *chosen, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            if hung:
                raise TimeoutError from error
            raise DeviceError(
                "the device does not answer",
                where=self.where,
                why=f"no answer in {limit:g} s",
                retryable=True,
            ) from error
        if done.returncode in hung:
            raise TimeoutError
        if done.returncode != 0:
            raise self._failure(done.stderr + done.stdout)
        return done.stdout + done.stderr  # benchmarks write to both

    def _failure(self, said: str) -> DeviceError:
        last = said.strip().splitlines()[-1:] or ["it does not say why"]
        ours = [line for line in said.splitlines() if line.startswith(("error:", "adb:", "* "))]
        if "no space left" in said.lower():
            return DeviceError(
                "no space left on the device", where=self.where, why=last[0], hint="free some there"
            )
        for part, message, hint in _KNOWN:
            if any(part in line for line in ours):
                lost = part in {"offline", "closed"}
                return DeviceError(
                    message, where=self.where, why=last[0], hint=hint, retryable=lost
                )
        return DeviceError(
            "a command on the device failed", where=self.where, why=said.strip()[-500:]
        )


def _tool() -> str:
    path = shutil.which("adb")
    if path is None:
        raise MissingToolError(
            "adb is not installed",
            why="Android devices are reached by it",
            hint="apt-get install adb, or Android's platform-tools",
        )
    return path
