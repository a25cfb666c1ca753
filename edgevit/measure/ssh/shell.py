"""Remote commands by `ssh`, file copies by `scp`, and translation of their error messages."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgevit.errors import DeviceError, EdgevitError, MissingToolError
from edgevit.measure.ssh.address import Address

CONNECT = 10  # seconds
_OPTIONS = (
    *("-o", "BatchMode=yes"),  # never prompt
    *("-o", "StrictHostKeyChecking=yes"),
    *("-o", f"ConnectTimeout={CONNECT}"),
    *("-o", "ServerAliveInterval=5"),
    *("-o", "ServerAliveCountMax=3"),
    *("-o", "LogLevel=ERROR"),
)
_LOST = 255  # ssh's own failure, as its manual says
_UNREACHABLE = (
    "could not resolve",
    "connection refused",
    "timed out",
    "no route to host",
    "network is unreachable",
    "connection closed",
    "connection reset",
    "broken pipe",
    "not responding",
)


class Shell:
    def __init__(self, address: Address) -> None:
        self.address = address

    def command(self, line: str) -> list[str]:
        """Return the ssh command that runs `line` in the user's remote shell."""
        port = ["-p", str(self.address.port)] if self.address.port else []
        return [_tool("ssh"), *self._options(), *port, "--", self.address.name, line]

    def run(self, line: str, limit: float = 60.0) -> str:
        """Run a remote command for at most `limit` seconds. Return what it prints."""
        return self._finished(self.command(line), limit)

    def push(self, files: Sequence[Path], folder: str, limit: float) -> None:
        port = ["-P", str(self.address.port)] if self.address.port else []
        host = self.address.host
        host = f"[{host}]" if ":" in host else host  # IPv6
        name = f"{self.address.user}@{host}" if self.address.user else host
        words = [_tool("scp"), "-q", "-r", *self._options(), *port]
        # Absolute, so that scp parses no name as an option (dash) or a remote host (colon).
        sources = [str(file.absolute()) for file in files]
        self._finished([*words, "--", *sources, f"{name}:{folder}/"], limit)

    def failure(self, code: int, said: str) -> EdgevitError:
        """Return the error for an ssh or scp that ended with `code`."""
        lowered, where = said.lower(), self.address.text
        if "host key verification failed" in lowered or "host key is known" in lowered:
            changed = "identification has changed" in lowered
            return DeviceError(
                f"the key of {self.address.host} {'has changed' if changed else 'is not known'}",
                where=where,
                why=_last(said) if not changed else "it is not the one in known_hosts",
                hint="make sure that it is the right machine"
                + (", then ssh-keygen -R it" if changed else f"; `ssh {self.address.name}` once by hand accepts its key"),
            )  # fmt: skip
        if "permission denied" in lowered and "publickey" in lowered:
            return DeviceError(
                f"{self.address.host} does not take our key",
                where=where,
                why=_last(said),
                hint=f"ssh-copy-id {self.address.name}; a key with a passphrase must be in ssh-agent",
            )
        if code == _LOST or any(text in lowered for text in _UNREACHABLE):
            return DeviceError(
                f"{self.address.host} cannot be reached",
                where=where,
                why=_last(said) or "the connection was lost",
                hint=f"does `ssh {self.address.name}` work? is the board on?",
                retryable=True,
            )
        return DeviceError(
            f"a command on {self.address.host} failed",
            where=where,
            why=said.strip()[-500:] or f"exit code {code}",
        )

    def _options(self) -> list[str]:
        config = ["-F", self.address.config] if self.address.config else []
        return [*config, *_OPTIONS]

    def _finished(self, words: Sequence[str], limit: float) -> str:
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DeviceError(
                f"{self.address.host} does not answer",
                where=self.address.text,
                why=f"no answer in {limit:g} s",
                hint="is the board on, and its disk sound?",
                retryable=True,
            ) from error
        if done.returncode != 0:
            raise self.failure(done.returncode, done.stderr)
        return done.stdout


def quoted(word: str) -> str:
    """Quote a word for the remote shell."""
    return shlex.quote(word)


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise MissingToolError(
            f"{name} is not installed",
            why="boards are reached by it",
            hint="apt-get install openssh-client",
        )
    return path


def _last(said: str) -> str:
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return lines[-1] if lines else ""
